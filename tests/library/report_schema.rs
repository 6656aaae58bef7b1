//! The documentation of `report.json` is that of the program.

use gia_gpu::report::RunReport;
use serde_json::Value;

#[test]
fn the_documented_schema_is_the_programs() {
    let found: Value = serde_json::from_str(include_str!("../../docs/report.schema.json")).unwrap();
    let own = serde_json::to_value(RunReport::schema()).unwrap();
    assert!(
        found == own,
        "docs/report.schema.json is not up to date: cargo run --release --example report_schema > docs/report.schema.json"
    );
}

#[test]
fn every_field_of_the_report_is_explained() {
    let text = include_str!("../../docs/report.md");
    let schema = serde_json::to_value(RunReport::schema()).unwrap();
    let types = schema["$defs"].as_object().unwrap();
    let properties = |of: &Value| -> Vec<String> {
        of["properties"].as_object().map(|p| p.keys().cloned().collect()).unwrap_or_default()
    };
    let named = ["SemanticReport", "BatchNaming", "IndexNaming", "Accuracies", "Batch", "Restart"];
    let fields = named.iter().flat_map(|name| properties(&types[*name])).chain(properties(&schema));
    for field in fields {
        let named = ["`", "."].iter().any(|before| text.contains(&format!("{before}{field}`")));
        assert!(named, "docs/report.md says nothing of '{field}'");
    }
}
