//! A local MCP server in a dozen lines of shell: a real process, where an interpreter would be too slow to start by the
//! hundred.

/// Answers `initialize`, `tools/list`, `ping` and calls of its one tool, `hello`, and refuses any other request. To be run by
/// `sh -c`, behind whatever a test has it do first.
pub const SHELL_SERVER: &str = r#"
while IFS= read -r line; do
  id=$(printf '%s' "$line" | grep -o '"id":[0-9]*' | head -n 1 | cut -d: -f2)
  case $line in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"shell","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"hello","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) result='{"content":[{"type":"text","text":"hello"}]}' ;;
    *'"ping"'*) result='{}' ;;
    *) [ -z "$id" ] || printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}\n' "$id"; continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

/// The same, with these cases of `case $line in` before its own; each ends by setting `result`, or the process.
#[must_use]
pub fn shell_server_with(cases: &str) -> String {
    let (before, own) = SHELL_SERVER.split_once("in\n").unwrap_or_default();
    format!("{before}in\n{cases}\n{own}")
}
