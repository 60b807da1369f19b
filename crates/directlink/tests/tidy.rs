//! The shape of the code, checked: which crate may use which, what the pure crates must not know,
//! how long a file and a function may grow, and that the documents' links lead somewhere.
//!
//! Each rule is a function from text to complaints, and is itself tested on text that breaks it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use syn::{spanned::Spanned, visit::Visit};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const ARGUMENTS_MAX: usize = 6;

/// Crate → the crates of ours that it may use. ARCHITECTURE.md draws them.
const ARROWS: &[(&str, &[&str])] = &[
    ("net", &[]),
    ("model", &["net"]),
    ("bgp", &["net"]),
    ("dataplane", &["net"]),
    ("channel", &[]),
    ("telemetry", &[]),
    ("server", &["net", "model", "channel", "telemetry"]),
    ("agent", &["net", "model", "channel", "telemetry", "bgp", "dataplane"]),
    ("lab", &["net", "model", "server", "agent", "dataplane"]),
    ("sim", &["net", "model", "channel", "server", "agent"]),
];

/// What a pure crate must not say: clocks, sockets, files, runtimes.
const IMPURE: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "std::fs",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "tokio",
    "async fn",
];
const PURE: &[&str] = &["net", "model", "bgp"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/directlink is two below")
        .into()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            match path.is_dir() {
                true if matches!(name.to_str(), Some("target" | ".git" | "node_modules")) => {}
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// Runs a rule over files; fails with all complaints at once.
fn check(paths: &[PathBuf], rule: impl Fn(&Path, &str) -> Vec<String>) {
    assert!(!paths.is_empty(), "no file found: the rule would check nothing");
    let complaints: Vec<_> = paths
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
            rule(path, &text).into_iter().map(move |complaint| format!("{shown}: {complaint}"))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn sources() -> Vec<PathBuf> {
    files(&root().join("crates"), "rs")
}

fn wrong_arrows(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let name = manifest["package"]["name"].as_str().unwrap().to_owned();
    let short = name.strip_prefix("directlink-").unwrap_or(&name);
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == short) else {
        return match name == "directlink" {
            true => vec![],
            false => vec![format!("{name} has no arrows in this test: say what it may use")],
        };
    };
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table())
        .flat_map(|table| table.keys())
        .filter_map(|dependency| dependency.strip_prefix("directlink-"))
        .filter(|to| !allowed.contains(to))
        .map(|to| format!("{short} must not use {to}"))
        .collect()
}

/// The code without its tests, which may do as they like.
fn before_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(code, _)| code)
}

fn impure_words(text: &str) -> Vec<String> {
    before_tests(text)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| IMPURE.iter().filter(move |word| line.contains(**word)))
        .map(|word| format!("a pure crate must not know `{word}`"))
        .collect()
}

fn without_preface(text: &str) -> Vec<String> {
    match text.starts_with("//!") {
        true => vec![],
        false => vec!["opens without `//!`: say what lives here and why it is apart".into()],
    }
}

fn too_long_file(text: &str) -> Vec<String> {
    let lines = before_tests(text).lines().count();
    match lines > FILE_LINES_MAX {
        true => vec![format!("{lines} lines before its tests (at most {FILE_LINES_MAX})")],
        false => vec![],
    }
}

#[derive(Default)]
struct Functions(Vec<String>);

impl Functions {
    fn look(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.0.push(format!(
                "fn {} has {lines} lines (at most {FUNCTION_LINES_MAX})",
                signature.ident
            ));
        }
        if signature.inputs.len() > ARGUMENTS_MAX {
            self.0.push(format!(
                "fn {} takes {} arguments (at most {ARGUMENTS_MAX})",
                signature.ident,
                signature.inputs.len()
            ));
        }
    }
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, f: &'a syn::ItemFn) {
        self.look(&f.sig, &f.block);
        syn::visit::visit_item_fn(self, f);
    }

    fn visit_impl_item_fn(&mut self, f: &'a syn::ImplItemFn) {
        self.look(&f.sig, &f.block);
        syn::visit::visit_impl_item_fn(self, f);
    }

    fn visit_item_mod(&mut self, m: &'a syn::ItemMod) {
        if m.ident != "tests" {
            syn::visit::visit_item_mod(self, m);
        }
    }
}

fn too_long_functions(text: &str) -> Vec<String> {
    let mut functions = Functions::default();
    match syn::parse_file(text) {
        Ok(file) => functions.visit_file(&file),
        Err(error) => functions.0.push(format!("cannot be parsed: {error}")),
    }
    functions.0
}

fn dead_links(folder: &Path, text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    targets
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("links to {target}, which is not there"))
        .collect()
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let manifests: Vec<_> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("Cargo.toml"))
        .filter(|path| path.exists())
        .collect();
    check(&manifests, |_, text| wrong_arrows(text));
}

#[test]
fn pure_crates_know_no_clock_no_socket_and_no_runtime() {
    let pure: Vec<_> = PURE
        .iter()
        .flat_map(|c| files(&root().join(format!("crates/directlink-{c}/src")), "rs"))
        .collect();
    check(&pure, |_, text| impure_words(text));
}

#[test]
fn only_the_store_knows_sql() {
    let others: Vec<_> = sources()
        .into_iter()
        .filter(|p| !p.components().any(|c| c.as_os_str() == "store"))
        .collect();
    check(&others, |path, text| match path.ends_with("tidy.rs") {
        true => vec![],
        false => before_tests(text)
            .lines()
            .filter(|l| l.contains("sqlx::"))
            .map(|_| "speaks to sqlx outside store/".into())
            .collect(),
    });
}

#[test]
fn every_file_opens_with_what_lives_there() {
    check(&sources(), |_, text| without_preface(text));
}

#[test]
fn files_and_functions_stay_small() {
    // A test's table may be as long as what it tells.
    let of_tests = |path: &Path| {
        path.components()
            .any(|c| matches!(c.as_os_str().to_str(), Some("tests" | "tests.rs" | "benches")))
    };
    let code: Vec<_> = sources().into_iter().filter(|path| !of_tests(path)).collect();
    check(&code, |_, text| too_long_file(text));
    check(&code, |_, text| too_long_functions(text));
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    check(&files(&root(), "md"), |path, text| dead_links(path.parent().unwrap(), text));
}

/// What a mutant of the simulation is worth: it says which rule it breaks, and still breaks it.
fn stale_mutant(path: &Path, text: &str) -> Vec<String> {
    let mut git = Command::new("git");
    let told = git.current_dir(root()).args(["apply", "--check"]).arg(path).output().unwrap();
    let mut complaints = vec![];
    if !told.status.success() {
        complaints.push(String::from_utf8_lossy(&told.stderr).trim().into());
    }
    if text.starts_with("--- ") {
        complaints.push("opens without the rule that it breaks".into());
    }
    complaints
}

#[test]
fn mutants_of_the_simulation_still_apply() {
    check(&files(&root().join("crates/directlink-sim/mutants"), "patch"), stale_mutant);
}

/// Crates as they are built for `what`, each with its features.
fn built_for(what: &[&str]) -> BTreeSet<String> {
    let tree = ["tree", "--prefix", "none", "--format", "{p} {f}"];
    let mut cargo = Command::new(env!("CARGO"));
    let told = cargo.current_dir(root()).args(tree).args(what).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn nothing_is_built_once_for_the_binary_and_once_more_for_the_tests() {
    let binary = built_for(&["--package", "directlink", "--edges", "normal"]);
    let tests = built_for(&["--workspace", "--edges", "normal,dev"]);
    assert!(binary.len() > 100, "{binary:?}");
    let twice: Vec<_> = binary.difference(&tests).collect();
    assert!(
        twice.is_empty(),
        "{twice:?}: ask for the features of the tests in crates/directlink/Cargo.toml"
    );
}

#[test]
fn each_rule_complains_about_what_breaks_it() {
    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LINES_MAX));
    let complaints: BTreeMap<&str, Vec<String>> = [
        (
            "arrows",
            wrong_arrows(
                "[package]\nname = \"directlink-model\"\n[dependencies]\ndirectlink-server = {}",
            ),
        ),
        ("a stranger", wrong_arrows("[package]\nname = \"directlink-x\"")),
        ("purity", impure_words("//! x\nlet now = Instant::now();")),
        ("preface", without_preface("use std::fs;")),
        ("file", too_long_file(&"x\n".repeat(FILE_LINES_MAX + 1))),
        ("function", too_long_functions(&long)),
        (
            "arguments",
            too_long_functions("fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}"),
        ),
        ("mutant", stale_mutant(Path::new("/nowhere.patch"), "Breaks nothing.")),
        ("link", dead_links(Path::new("/nowhere"), "see [this](missing.md#part)")),
    ]
    .into();
    for (rule, complaints) in complaints {
        assert_eq!(complaints.len(), 1, "{rule}: {complaints:?}");
    }
}
