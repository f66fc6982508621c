//! The caller's account and Region, from the SigV4 credential scope, as in the local AWS.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::error::ApiError;
use crate::upstream::Upstream;

/// The credential scope of an `Authorization` header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CredentialScope {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// The account and Region of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl CredentialScope {
    /// Reads `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, ...`.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let header = headers
            .get(AUTHORIZATION)
            .ok_or_else(|| ApiError::new("MissingAuthenticationTokenException", "Missing Authentication Token"))?;
        header.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            ApiError::new(
                "IncompleteSignatureException",
                "The Authorization header must be of the form AWS4-HMAC-SHA256 \
                     Credential=<access key id>/<date>/<region>/<service>/aws4_request, SignedHeaders=..., Signature=...",
            )
        })
    }

    fn parse(header: &str) -> Option<Self> {
        let (_, rest) = header.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?;
        let credential = rest.split([',', ' ']).next()?;
        let [key, _date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let host_safe = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        (host_safe(region) && !key.is_empty()).then(|| Self {
            access_key_id: key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// The account id, if the access key id is one.
    pub(crate) fn account(&self) -> Option<&str> {
        let key = &self.access_key_id;
        (key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit())).then_some(key.as_str())
    }

    /// The caller. The local AWS resolves an access key id that is not an account id: it has the sessions and the default account.
    pub(crate) async fn caller(self, headers: &HeaderMap, upstream: &Upstream) -> Result<Caller, ApiError> {
        let account = match self.account() {
            Some(account) => account.to_owned(),
            None => upstream.account_of(&self, headers).await?,
        };
        Ok(Caller { account, region: self.region })
    }
}
