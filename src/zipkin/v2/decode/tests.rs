use super::super::encode_span;
use super::*;
use proptest::prelude::*;

fn read(body: &str) -> Result<String, String> {
    let mut out = Vec::new();
    decode_list(body.as_bytes(), |span| encode_span(&span, &mut out)).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn what_stands_around_the_list_matters_as_little_as_to_zipkin() {
    for body in ["", "\n", "[]", "\n\n[]", "[] and more"] {
        assert_eq!(read(body), Ok(String::new()), "{body:?}");
    }
    for body in [" []", "\t[]", "\r[]", "{}", "hello"] {
        assert_eq!(read(body), Err("Expected a JSON_V2 encoded list\n".to_owned()), "{body:?}");
    }
}

#[test]
fn a_bad_span_is_refused_with_its_place() {
    let s = r#""traceId":"1","id":"2""#;
    for (span, error) in [
        (r#"{}"#.to_owned(), "Missing : traceId id"),
        (r#"{"id":"1"}"#.to_owned(), "Missing : traceId"),
        (format!(r#"{{{s},"name":true}}"#), "Expected a string but was BOOLEAN at path $[1].name"),
        (format!(r#"{{{s},"kind":"client"}}"#), "No enum constant zipkin2.Span.Kind.client"),
        (format!(r#"{{{s},"timestamp":1.5}}"#), "Expected a long but was 1.5 at path $[1].timestamp"),
        (format!(r#"{{{s},"duration":[]}}"#), "Expected a long but was BEGIN_ARRAY at path $[1].duration"),
        (format!(r#"{{{s},"debug":1}}"#), "Expected a boolean but was NUMBER at path $[1].debug"),
        (format!(r#"{{{s},"localEndpoint":{{"port":70000}}}}"#), "invalid port 70000"),
        (
            format!(r#"{{{s},"remoteEndpoint":{{"ipv4":{{}}}}}}"#),
            "Expected a string but was BEGIN_OBJECT at path $[1].remoteEndpoint.ipv4",
        ),
        (format!(r#"{{{s},"tags":{{"a":null}}}}"#), "No value at $[1].tags.a"),
        (
            format!(r#"{{{s},"annotations":[{{"timestamp":1}}]}}"#),
            "Incomplete annotation at $[1].annotations[0]",
        ),
    ] {
        let refused = read(&format!(r#"[{{"traceId":"a","id":"b"}},{span}]"#));
        assert_eq!(refused, Err(format!("{error} reading List<Span> from json")), "{span}");
    }
}

#[test]
fn spans_of_the_first_format_are_recognised() {
    let refused = read(r#"[{"traceId":"1","id":"2","binaryAnnotations":[]}]"#);
    assert_eq!(refused, Err("Expected a JSON_V2 encoded list, but received: JSON_V1\n".to_owned()));
}

#[test]
fn numbers_keep_their_own_digits_where_a_text_is_wanted() {
    let json = read(r#"[{"traceId":12345678901234567890123456789012,"id":7,"tags":{"a":1.50}}]"#);
    assert_eq!(
        json.unwrap(),
        r#"{"traceId":"12345678901234567890123456789012","id":"0000000000000007","tags":{"a":"1.50"}}"#
    );
}

#[test]
fn a_long_text_is_quoted_only_in_part() {
    let refused = read(&format!(r#"[{{"traceId":"1","id":"2","kind":"{}"}}]"#, "x".repeat(1 << 20)));
    assert!(refused.unwrap_err().len() < 2_000);
}

proptest! {
    #[test]
    fn no_bytes_do_harm(body: Vec<u8>, cut in 0_usize..400) {
        let _ = decode_list(&body, |_| {});
        let whole = br#"[{"traceId":"a","id":"b","name":"\u00e9","timestamp":"5","localEndpoint":{"serviceName":"s",
            "ipv4":"1.2.3.4","port":80},"annotations":[{"timestamp":1,"value":"x"}],"tags":{"k":"v"},"x":[[{}]]}]"#;
        let cut = cut.min(whole.len() - 1);
        prop_assert_eq!(decode_list(&whole[..cut], |_| {}).is_ok(), cut == 0);
    }

    #[test]
    fn canonical_json_reads_back_as_itself(name: String, key: String, value: String, port: u16) {
        let json = serde_json::json!([{"traceId": "1", "id": "2", "name": name,
            "localEndpoint": {"serviceName": value, "port": port}, "tags": {key.as_str(): value}}]);
        let once = read(&json.to_string()).unwrap();
        prop_assert_eq!(read(&format!("[{once}]")).unwrap(), once);
    }
}
