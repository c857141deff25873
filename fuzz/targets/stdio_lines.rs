#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_transport::fuzzing::stdio_lines(bytes));
