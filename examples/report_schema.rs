//! Prints the JSON Schema of `report.json`: `cargo run --release --example report_schema > docs/report.schema.json`.

#![allow(clippy::print_stdout)]

fn main() -> serde_json::Result<()> {
    println!("{}", serde_json::to_string_pretty(&gia_gpu::report::RunReport::schema())?);
    Ok(())
}
