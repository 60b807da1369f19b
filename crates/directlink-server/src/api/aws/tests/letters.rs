//! The Letter of Authorization, from the API to what a reader finds on the page.

use super::*;
use base64::{Engine, engine::general_purpose::STANDARD};

#[tokio::test]
async fn a_letter_comes_with_the_approval_and_says_where_the_fibre_ends() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let order = json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x"});
    let made = good(&region, keys, "CreateConnection", order).await;
    let early = json!({"connectionId": made["connectionId"]});
    let refused = region.aws(keys, "DescribeLoa", early).await;
    let text = refused.refusal().1;
    assert!(
        text.starts_with("DescribeLoa failed.") && text.contains("is in state requested"),
        "{text}"
    );

    let (id, port) = region.plugged(keys).await;
    let asked = json!({"connectionId": id, "providerName": "Fibres SA", "loaContentType": "application/pdf"});
    let flat = good(&region, keys, "DescribeLoa", asked.clone()).await;
    let nested = good(&region, keys, "DescribeConnectionLoa", asked).await;
    assert_eq!(nested["loa"], flat, "the same letter to the byte");
    assert_eq!(flat["loaContentType"], "application/pdf");
    let pdf = STANDARD.decode(flat["loaContent"].as_str().unwrap()).unwrap();
    let text = crate::loa::tests::text_of(&pdf);
    for expected in [
        format!("Circuit ID {id}"),
        format!("Issued to account {}", keys.account),
        format!("Router {}", port.router),
        format!("Port {}", port.port),
        "Optics 1000BASE-LX (1310nm)".into(),
        "Issue date 2026-11-23".into(),
        "Valid until 2027-02-21".into(),
        "On behalf of it Fibres SA".into(),
    ] {
        assert!(text.contains(&expected), "{expected}: {text}");
    }
    for (keys, body, text) in [
        (&region.guest, json!({"connectionId": id}), "Could not find Connection with ID"),
        (keys, json!({"connectionId": id, "loaContentType": "text/html"}), "application/pdf"),
        (keys, json!({"connectionId": id, "providerName": "a\nb"}), "control character"),
        (keys, json!({}), "Field connectionId is required"),
    ] {
        let refused = region.aws(keys, "DescribeLoa", body).await;
        assert!(refused.refusal().1.contains(text), "{}", refused.body);
    }
}
