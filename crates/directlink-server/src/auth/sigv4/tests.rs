//! Signatures made by others: recorded requests of real clients, AWS's own signer as oracle,
//! published vectors; and a table of what must be refused.

use super::*;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        SignableBody, SignableRequest, SigningParams, SigningSettings, UriPathNormalizationMode,
        sign,
    },
    sign::v4,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

const ACCESS_KEY: &str = "ABCDEFGHIJ0123456789";
const SECRET_KEY: &str = "0123456789ABCDEFGHIJ0123456789abcdefghij";

struct Request {
    method: Method,
    path: &'static str,
    query: &'static str,
    headers: HeaderMap,
    body: &'static str,
}

impl Request {
    fn new(path: &'static str, headers: &[(&str, &str)], body: &'static str) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| -> (HeaderName, HeaderValue) {
                (name.parse().unwrap(), value.parse().unwrap())
            })
            .collect();
        Self { method: Method::POST, path, query: "", headers, body }
    }

    fn parts(&self) -> Parts<'_> {
        let Self { method, path, query, headers, body } = self;
        Parts { method, path, query, headers, body: body.as_bytes() }
    }

    fn verify(&self, secret: &str, now: Timestamp) -> Result<String, AuthError> {
        let parts = self.parts();
        let claim = Claim::read(&parts, now)?;
        claim.check(&parts, &SecretKey::new(secret.into()))?;
        Ok(claim.access_key().to_owned())
    }
}

fn recorded_at() -> Timestamp {
    "2026-11-23T15:18:00Z".parse().unwrap()
}

/// One line of a recording: client, path, headers that matter, body.
type Recorded = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

const ORDER: &str = r#"{"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "x"}"#;
const SDK_ORDER: &str = r#"{"DirectLinkName": "x", "Location": "PAR1", "Bandwidth": "1Gbps"}"#;
const AWS_ORDER: &str = r#"{"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x"}"#;

/// Requests as real clients sent them to `127.0.0.1:18099` with the two keys above.
const RECORDED: &[Recorded] = &[
    (
        "osc-cli 1.11.0 api, which sends a slash more than it signs",
        "//api/latest/CreateDirectLink",
        &[
            ("host", "127.0.0.1:18099"),
            ("content-type", "application/json"),
            ("x-osc-date", "20261123T151757Z"),
            ("x-osc-target", "OutscaleService.CreateDirectLink"),
            (
                "authorization",
                "OSC4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/eu-west-2/api/osc4_request, SignedHeaders=host;x-osc-date;x-osc-target, Signature=f4ddcd7f62f8f2b9f09205d954dd8cbcd947dfbe6f56bfa51671bddca89b80ba",
            ),
        ],
        ORDER,
    ),
    (
        "osc-cli 1.11.0 directlink",
        "/",
        &[
            ("host", "127.0.0.1:18099"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-date", "20261123T151758Z"),
            ("x-amz-target", "OvertureService.CreateConnection"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/eu-west-2/directlink/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=2b65c40d39d334c33037b38434a46c7cfb89c7d4d7f3b3c2b33e74158a751c20",
            ),
        ],
        AWS_ORDER,
    ),
    (
        "osc-sdk-python 0.42.0, which signs the host without its port",
        "/api/v1/CreateDirectLink",
        &[
            ("host", "127.0.0.1:18099"),
            ("content-type", "application/json; charset=utf-8"),
            ("x-osc-date", "20261123T151804Z"),
            (
                "authorization",
                "OSC4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/eu-west-2/api/osc4_request, SignedHeaders=content-type;host;x-osc-date, Signature=fb352817dc27a4a655b742464f948219076fa415ae6db04c0fb8e0675e4bf28f",
            ),
        ],
        SDK_ORDER,
    ),
    (
        "AWS CLI 1.46.3",
        "/",
        &[
            ("host", "127.0.0.1:18099"),
            ("x-amz-target", "OvertureService.CreateConnection"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-date", "20261123T151806Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/eu-west-2/directconnect/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=314ee001352cf1ff8adb8ac49f90057fda5bd5a5bad64debdac00951a1e8cf58",
            ),
        ],
        AWS_ORDER,
    ),
    (
        "curl 7.88.1 --aws-sigv4 osc:osc:eu-west-2:api",
        "/api/v1/ReadDirectLinks",
        &[
            ("host", "127.0.0.1:18099"),
            ("x-osc-date", "20261123T151806Z"),
            ("content-type", "application/json"),
            (
                "authorization",
                "OSC4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/eu-west-2/api/osc4_request, SignedHeaders=content-type;host;x-osc-date, Signature=ae9cd37d8c0dd341cde46df2ed9c059024df96c955e044b2d28c1c6ff561d503",
            ),
        ],
        "{}",
    ),
    (
        "curl 7.88.1 --aws-sigv4 aws:amz:eu-west-2:directlink",
        "/",
        &[
            ("host", "127.0.0.1:18099"),
            ("x-amz-date", "20261123T151806Z"),
            ("x-amz-target", "OvertureService.DescribeConnections"),
            ("content-type", "application/x-amz-json-1.1"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/eu-west-2/directlink/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=76f4602f9b6d50bf95ba30ec1aab6955f76b91e70e1d5ab9f83728426cd2f1f8",
            ),
        ],
        "{}",
    ),
    (
        "libcurl 7.88.1 as oapi-cli uses it: region and service cut out of the host",
        "/api/v1/ReadVms",
        &[
            ("host", "127.0.0.1:18099"),
            ("x-amz-date", "20261123T151806Z"),
            ("content-type", "application/json"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20261123/0/127/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=80d78611c3395d8f2dfb6792c2ce8bf0243caaa5cba7ceac606efeadde9dde07",
            ),
        ],
        "",
    ),
];

fn recorded(n: usize) -> Request {
    let (_, path, headers, body) = RECORDED[n];
    Request::new(path, headers, body)
}

#[test]
fn real_clients_are_believed_and_nobody_with_another_secret() {
    for (n, (client, ..)) in RECORDED.iter().enumerate() {
        let request = recorded(n);
        assert_eq!(request.verify(SECRET_KEY, recorded_at()), Ok(ACCESS_KEY.into()), "{client}");
        let wrong = request.verify("another", recorded_at());
        assert_eq!(wrong, Err(AuthError::WrongSignature), "{client}");
    }
}

#[test]
fn what_was_signed_cannot_be_changed() {
    for (n, (client, ..)) in RECORDED.iter().enumerate() {
        let signed = recorded(n);
        let verify = |r: Request| r.verify(SECRET_KEY, recorded_at());
        let other_body = Request { body: r#"{"Location":"PAR4"}"#, ..recorded(n) };
        assert_eq!(verify(other_body), Err(AuthError::WrongSignature), "{client}");
        let other_path = Request { path: "/api/v1/DeleteDirectLink", ..recorded(n) };
        assert_eq!(verify(other_path), Err(AuthError::WrongSignature), "{client}");
        let other_query = Request { query: "a=b", ..recorded(n) };
        assert_eq!(verify(other_query), Err(AuthError::WrongSignature), "{client}");
        let other_method = Request { method: Method::GET, ..recorded(n) };
        assert_eq!(verify(other_method), Err(AuthError::WrongSignature), "{client}");
        for name in signed.headers.keys().filter(|name| *name != "authorization") {
            let mut other = recorded(n);
            other.headers.insert(name, "20261123T151700Z".parse().unwrap());
            let signs_it =
                signed.headers["authorization"].to_str().unwrap().contains(name.as_str());
            assert_eq!(verify(other).is_err(), signs_it, "{client}: {name}");
        }
    }
}

/// Clients of `outscale-facts.md` §2.1 that sign by AWS's rules, signed here by AWS's own signer.
#[test]
fn what_the_aws_signer_makes_is_believed() {
    for (client, region, service, path, headers) in [
        ("outscale_api 1.22 (Rust)", "eu-west-2", "oapi", "/api/v1/ReadDirectLinks", &[][..]),
        (
            "@aws-sdk/client-direct-connect 3.1048",
            "eu-west-2",
            "directconnect",
            "/",
            &[
                ("amz-sdk-invocation-id", "0475ca1e-d0c5-441d-712a-da55a4175157"),
                ("amz-sdk-request", "attempt=1; max=3"),
                ("content-length", "2"),
                ("content-type", "application/x-amz-json-1.1"),
                (
                    "x-amz-content-sha256",
                    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                ),
                ("x-amz-target", "OvertureService.DescribeConnections"),
                ("x-amz-user-agent", "aws-sdk-js/3.1048.0"),
            ][..],
        ),
        ("a header with many spaces", "r", "s", "/", &[("x-note", "  a   b  ")][..]),
        ("a path with slashes", "r", "s", "//api//latest/ReadVms", &[][..]),
    ] {
        let host = [("host", "127.0.0.1:18099")];
        let mut all: Vec<_> = host.iter().chain(headers).copied().collect();
        let (access_key, secret_key, now) = (ACCESS_KEY, SECRET_KEY, recorded_at());
        let signer = Signer { access_key, secret_key, region, service, now };
        let signed = signer.sign(path, &all, b"{}");
        all.extend(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let request = Request::new(path, &all, "{}");
        assert_eq!(request.verify(SECRET_KEY, recorded_at()), Ok(ACCESS_KEY.into()), "{client}");
    }
}

/// Who signs, for where and when, with AWS's own signer.
pub(crate) struct Signer<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) now: Timestamp,
}

impl Signer<'_> {
    /// The headers that a signed POST has beside `headers`.
    pub(crate) fn sign(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<(String, String)> {
        let keys = Credentials::from_keys(self.access_key, self.secret_key, None).into();
        let mut settings = SigningSettings::default();
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
        settings.excluded_headers = None;
        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(&keys)
            .region(self.region)
            .name(self.service)
            .time(std::time::SystemTime::try_from(self.now).unwrap())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("http://127.0.0.1:18099{path}");
        let headers = headers.iter().copied();
        let request =
            SignableRequest::new("POST", uri, headers, SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        instructions.headers().map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }
}

/// From the "AWS Signature Version 4 Test Suite", as AWS published it.
#[test]
fn published_vectors() {
    let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let get = Method::GET;
    for (name, method, path, query, extra, signature) in [
        (
            "get-vanilla",
            &get,
            "/",
            "",
            &[][..],
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-vanilla-query-order-key-case",
            &get,
            "/",
            "Param2=value2&Param1=value1",
            &[][..],
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "post-vanilla",
            &Method::POST,
            "/",
            "",
            &[][..],
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "get-header-value-trim",
            &get,
            "/",
            "",
            &[("my-header1", "value1"), ("my-header2", "\"a   b   c\"")][..],
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ] {
        let names: String = extra.iter().map(|(name, _)| format!("{name};")).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;{names}x-amz-date, Signature={signature}"
        );
        let mut headers = vec![
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            ("authorization", authorization.as_str()),
        ];
        headers.extend(extra);
        let request = Request { method: method.clone(), query, ..Request::new(path, &headers, "") };
        assert_eq!(request.verify(secret, now), Ok("AKIDEXAMPLE".into()), "{name}");
    }
}

#[test]
fn what_is_refused_and_why() {
    let good = "OSC4-HMAC-SHA256 Credential=A/20261123/r/s/osc4_request, SignedHeaders=host;x-osc-date, Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let date = "20261123T151806Z";
    let malformed = |text: &'static str| AuthError::Malformed(text);
    for (authorization, date, extra, expected) in [
        (good.to_owned(), date, None, AuthError::WrongSignature),
        (String::new(), date, None, AuthError::Missing),
        (
            "Bearer x".into(),
            date,
            None,
            malformed("the algorithm is OSC4-HMAC-SHA256 or AWS4-HMAC-SHA256"),
        ),
        (
            "OSC4-HMAC-SHA256".into(),
            date,
            None,
            malformed("it is an algorithm, a space, and three fields"),
        ),
        (
            good.replace("A/20261123", "A//r"),
            date,
            None,
            malformed("Credential is KEY/YYYYMMDD/REGION/SERVICE/TERMINATOR"),
        ),
        (good.replace("/20261123/", "//"), date, None, AuthError::NoScopeDate),
        (
            good.replace("osc4_request", "aws4_request"),
            date,
            None,
            malformed("Credential is KEY/YYYYMMDD/REGION/SERVICE/TERMINATOR"),
        ),
        (good.replace("host;", ""), date, None, AuthError::NotSigned("host")),
        (
            good.replace("SignedHeaders=host", "SignedHeaders=Host"),
            date,
            None,
            malformed("SignedHeaders are at most 64 lower-case names with ';' between"),
        ),
        (good.replace("00, ", "zz, "), date, None, AuthError::WrongSignature),
        (good.replace("=00", "=zz"), date, None, malformed("Signature is 64 hexadecimal digits")),
        (format!("{good}, Signature=00"), date, None, malformed("it has a field twice")),
        (good.into(), "20261122T151806Z", None, AuthError::TooOld),
        (good.into(), "20261123T153806Z", None, AuthError::InFuture),
        (good.into(), "", None, AuthError::EmptyDate("x-osc-date")),
        (good.into(), "now", None, AuthError::BadDate("x-osc-date")),
        (
            good.into(),
            date,
            Some(("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
            AuthError::BodyHash,
        ),
        (good.into(), date, Some(("x-amz-target", "X.Y")), AuthError::NotSigned("x-amz-target")),
    ] {
        let mut headers = vec![("host", "h"), ("x-osc-date", date)];
        headers.push(("authorization", &authorization));
        headers.extend(extra);
        let request = Request::new("/", &headers, "{}");
        let got = request.verify(SECRET_KEY, recorded_at());
        assert_eq!(got, Err(expected), "{authorization} {date} {extra:?}");
    }
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(
        authorization in "(OSC4-HMAC-SHA256 |AWS4-HMAC-SHA256 |)(Credential=|SignedHeaders=|Signature=|[a-z0-9;/=, ]{0,20}){0,6}",
        date in "[0-9TZ]{0,17}",
        path in "[/a-zA-Z0-9%.]{0,30}",
        query in "[a-z=&]{0,20}",
        body: Vec<u8>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert("host", "h:1".parse().unwrap());
        headers.insert("x-osc-date", date.parse().unwrap());
        headers.insert("x-amz-date", date.parse().unwrap());
        headers.insert("authorization", authorization.parse().unwrap());
        let parts =
            Parts { method: &Method::POST, path: &path, query: &query, headers: &headers, body: &body };
        if let Ok(claim) = Claim::read(&parts, recorded_at()) {
            let refused = claim.check(&parts, &SecretKey::new("s".into())).is_err();
            prop_assert!(refused, "no random signature is right");
        }
    }
}
