//! The demo checks what it claims by itself.

use crate::setting::Setting;

#[test]
fn the_demo_runs_and_all_of_it_happens_as_told() {
    let setting = Setting::new();
    let before = setting.home.snapshot();
    let output = setting.run(&["demo"], 0);
    assert!(output.stdout.ends_with("All of it happened as told.\n"), "{output}");
    assert!(!output.stdout.contains("NOT TRUE"), "{output}");
    assert_eq!(before.changes_until(&setting.home.snapshot()), mcp_testkit::Changes::default());
}
