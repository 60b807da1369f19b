//! What a plan's document may hold.
#![no_main]

#[path = "../checks/plan_documents.rs"]
mod plan_documents;

libfuzzer_sys::fuzz_target!(|data: &[u8]| plan_documents::check(data));
