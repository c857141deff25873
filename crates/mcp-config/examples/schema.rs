//! Prints the JSON Schema of files of servers; `cargo xtask docs` keeps it in `docs/mcp.schema.json`.

fn main() {
    #[expect(clippy::print_stdout, reason = "it is what this program is for")]
    {
        println!("{:#}", mcp_config::json_schema());
    }
}
