use super::*;
use crate::place::stack;

fn input(list: &str) -> String {
    format!(r#"{{"scheduledTime": "{SCHEDULED_TIME}", "settleDays": 0, "compact": false, "logGroups": {list}}}"#)
}

#[test]
fn an_input_of_the_schedule_is_judged_as_a_run_judges_it() {
    let run = parse(&input(r#"["/a", {"logGroupNamePrefix": "/b/"}]"#), &stack()).unwrap();
    assert_eq!((run.entries.len(), run.scheduled_time.is_some()), (2, true));
    for (list, says) in [
        (r#"["/aws/lambda/*"]"#, r#"logGroups[0] is "/aws/lambda/*": to archive all log groups with this prefix, write"#),
        (r#"["/a" "/b"]"#, "the input is not JSON (expected `,` or `]`): check the commas and quotes of logGroups"),
        (r#"[{"name": "/a"}]"#, "give exactly one of logGroupName and logGroupNamePrefix"),
    ] {
        let error = parse(&input(list), &stack()).unwrap_err();
        assert!(error.name == ErrorName::InvalidInput && error.message.contains(says), "{error:?}");
    }
}

#[test]
fn a_time_zone_has_an_iana_name() {
    assert_eq!(check_time_zone("Asia/Tokyo"), Ok(()));
    let error = check_time_zone("Tokyo").unwrap_err();
    assert!(error.starts_with(r#"TimeZone is "Tokyo": give an IANA time zone name such as Asia/Tokyo"#), "{error}");
}

/// The parameter has names if every entry is a name. Otherwise it is JSON.
#[test]
fn a_list_becomes_a_value_of_the_parameter_and_back() {
    let prefix = json!({"logGroupNamePrefix": "/b/"});
    for (entries, value, sam, cloudformation) in [
        (json!(["/a"]), "/a", "LogGroups=/a", "LogGroups=/a"),
        (json!(["/a", "/ecs/web"]), "/a,/ecs/web", "LogGroups=/a,/ecs/web", "LogGroups=/a,/ecs/web"),
        (
            json!(["/a", prefix]),
            r#"["/a",{"logGroupNamePrefix":"/b/"}]"#,
            r#"'LogGroups="[\"/a\",{\"logGroupNamePrefix\":\"/b/\"}]"'"#,
            r#"'LogGroups=["/a",{"logGroupNamePrefix":"/b/"}]'"#,
        ),
    ] {
        let entries = entries.as_array().unwrap();
        assert_eq!(parameter_of(entries).as_deref(), Some(value));
        assert_eq!(entries_of_parameter(value).as_ref(), Some(entries));
        assert_eq!((sam_override(value).as_str(), cloudformation_override(value).as_str()), (sam, cloudformation));
    }
    assert_eq!(parameter_of(&vec![json!("/a"); PARAMETER_LIMIT]), None);
    assert_eq!(entries_of_parameter(r#"["/a" "/b"]"#), None);
}

#[test]
fn a_name_its_arn_and_an_object_with_nothing_but_the_name_are_the_same_entry() {
    let arn = format!("arn:aws:logs:{}:{}:log-group:/a:*", stack().region, stack().account);
    for (one, other, expected) in [
        (json!("/a"), json!(arn), true),
        (json!("/a"), json!({"logGroupName": "/a"}), true),
        (json!("/a"), json!({"logGroupName": "/a", "s3Prefix": "x"}), false),
        (json!("/a"), json!("/b"), false),
        (json!("/a*"), json!("/a*"), true),
    ] {
        assert_eq!(meaning(&one, &stack()) == meaning(&other, &stack()), expected, "{one} {other}");
    }
}

#[test]
fn a_digest_tells_properties_apart_whatever_their_order() {
    assert_eq!(digest(&json!({"a": 1, "b": 2})), digest(&serde_json::from_str(r#"{"b": 2, "a": 1}"#).unwrap()));
    assert_ne!(digest(&json!({"a": 1})), digest(&json!({"a": 2})));
}
