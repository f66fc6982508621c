"""Obeys ExpectedBucketOwner, which ministack passes over: a bucket of another account is refused."""


def correct() -> None:
    from ministack.services import s3

    handle = s3.handle_request

    async def handle_request(method: str, path: str, headers: dict, *arguments: object, **options: object) -> tuple:
        expected = headers.get("x-amz-expected-bucket-owner")
        bucket, _ = s3._parse_bucket_key(path, headers)
        owner = s3._bucket_owner_account(bucket)
        if expected and owner and expected != owner:
            status, response_headers, body = s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}")
            return status, response_headers, b"" if method == "HEAD" else body
        return await handle(method, path, headers, *arguments, **options)

    s3.handle_request = handle_request
