use super::*;

fn telling_line(text: &str) -> String {
    by_form(text).or_else(|| by_place(text)).map(|telling| telling.to_text().into_owned()).unwrap_or_default()
}

#[track_caller]
fn assert_table(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(telling_line(text), *expected, "{text}");
    }
}

#[test]
fn fc_c1_npm_says_what_the_registry_answered_and_not_where_its_log_is() {
    let npx = "npm warn exec The following package was not found and will be installed: nope@1.0.0\n\
               npm error code E404\n\
               npm error 404 Not Found - GET https://registry.npmjs.org/nope - Not found\n\
               npm error 404\n\
               npm error 404  'nope@*' is not in this registry.\n\
               npm error 404\n\
               npm error 404 Note that you can also install from a\n\
               npm error 404 tarball, folder, http url, or git folder.\n\
               npm error A complete log of this run can be found in: /root/.npm/_logs/x-debug-0.log\n";
    let target = "npm error code ETARGET\nnpm error notarget No matching version found for x@99.\n\
                  npm error notarget In most cases you or one of your dependencies are requesting\n\
                  npm error A complete log of this run can be found in: /x.log\n";
    let network = "npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error errno ENOTFOUND\n\
                   npm error network request to https://registry.npmjs.org/x failed, reason: getaddrinfo ENOTFOUND\n\
                   npm error A complete log of this run can be found in: /x.log\n";
    assert_table(&[
        (npx, "npm error 404 Not Found - GET https://registry.npmjs.org/nope - Not found"),
        (
            &npx.replace("npm error", "npm ERR!"),
            "npm ERR! 404 Not Found - GET https://registry.npmjs.org/nope - Not found",
        ),
        (target, "npm error notarget No matching version found for x@99."),
        (
            network,
            "npm error network request to https://registry.npmjs.org/x failed, reason: getaddrinfo ENOTFOUND",
        ),
        (
            "npm error could not determine executable to run\nnpm error A complete log of this run can be found in: /x\n",
            "npm error could not determine executable to run",
        ),
        (
            " ERR_PNPM_FETCH_404  GET https://registry.npmjs.org/nope: Not Found - 404\n\nThis error happened while installing\n",
            "ERR_PNPM_FETCH_404  GET https://registry.npmjs.org/nope: Not Found - 404",
        ),
    ]);
}

#[test]
fn fc_c1_installers_and_launchers_say_it_in_their_own_places() {
    assert_table(&[
        (
            "  × No solution found when resolving tool dependencies:\n  ╰─▶ Because nope was not found in the package registry and you require\n      nope, we can conclude that your requirements are unsatisfiable.\n",
            "Because nope was not found in the package registry and you require",
        ),
        (
            "Installed 3 packages in 5ms\nPackage `x` does not provide any executables.\n",
            "Package `x` does not provide any executables.",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement nope (from versions: none)\nERROR: No matching distribution found for nope\n",
            "ERROR: No matching distribution found for nope",
        ),
        (
            "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\nSee 'docker run --help'.\n",
            "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        ),
        (
            "Unable to find image 'x/y:latest' locally\ndocker: Error response from daemon: pull access denied for x/y\n\nRun 'docker run --help' for more information\n",
            "docker: Error response from daemon: pull access denied for x/y",
        ),
        (
            "./s: error while loading shared libraries: libssl.so.1.1: cannot open shared object file\n",
            "./s: error while loading shared libraries: libssl.so.1.1: cannot open shared object file",
        ),
        ("sh: 1: nope: not found\n", "sh: 1: nope: not found"),
        (
            "/usr/bin/env: 'node': No such file or directory\n",
            "/usr/bin/env: 'node': No such file or directory",
        ),
    ]);
}

#[test]
fn fc_c1_c4_each_language_says_it_in_its_own_place() {
    assert_table(&[
        // Node.
        (
            "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module '/x/server.js'\n    at Function._resolveFilename (node:internal/modules/cjs/loader:1225:15)\n  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n}\n\nNode.js v22.9.0\n",
            "Error: Cannot find module '/x/server.js'",
        ),
        (
            "node:events:497\n      throw er; // Unhandled 'error' event\n      ^\n\nError: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle\nEmitted 'error' event on Server instance at:\n  code: 'EADDRINUSE'\n",
            "Error: listen EADDRINUSE: address already in use :::3000",
        ),
        (
            "file:///x/index.js:3\nTypeError [ERR_INVALID_URL]: Invalid URL\n    at new URL\n  code: 'ERR_INVALID_URL'\n\nNode.js v20.1.0\n",
            "TypeError [ERR_INVALID_URL]: Invalid URL",
        ),
        // Python: chained, in a group, without a message, before it begins.
        (
            "Traceback (most recent call last):\n  File \"a\", line 1\nKeyError: 'TOKEN'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\nRuntimeError: TOKEN is missing\n",
            "RuntimeError: TOKEN is missing",
        ),
        (
            "  + Exception Group Traceback (most recent call last):\n  |   File \"x\"\n  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File \"y\"\n    | httpx.ConnectError: All connection attempts failed\n    +------------------------------------\n",
            "httpx.ConnectError: All connection attempts failed",
        ),
        ("Traceback (most recent call last):\n  File \"a\"\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        (
            "Traceback (most recent call last):\n  File \"a\"\nAttributeError: 'Server' object has no attribute 'run'\n",
            "AttributeError: 'Server' object has no attribute 'run'",
        ),
        ("/usr/bin/python3: No module named mcp_server\n", "/usr/bin/python3: No module named mcp_server"),
        (
            "python3: can't open file '/w/srv.py': [Errno 2] No such file or directory\n",
            "python3: can't open file '/w/srv.py': [Errno 2] No such file or directory",
        ),
        (
            "Traceback:\n  File \"a\"\nModuleNotFoundError: No module named 'mcp'\n",
            "ModuleNotFoundError: No module named 'mcp'",
        ),
        // Rust, now and then.
        (
            "\nthread 'main' (12) panicked at src/main.rs:2:5:\nTOKEN is not set\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            "TOKEN is not set",
        ),
        (
            "thread 'main' panicked at 'TOKEN is not set', src/main.rs:2:5\nnote: run with `RUST_BACKTRACE=1`\n",
            "thread 'main' panicked at 'TOKEN is not set', src/main.rs:2:5",
        ),
        (
            "Error: reading config\n\nCaused by:\n    No such file or directory (os error 2)\n",
            "Error: reading config: No such file or directory (os error 2)",
        ),
        // Go, Java, .NET, PHP, Perl, Ruby.
        (
            "panic: no token\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:3 +0x1\nexit status 2\n",
            "panic: no token",
        ),
        ("2026/11/28 10:00:00 GITHUB_TOKEN not set\n", "2026/11/28 10:00:00 GITHUB_TOKEN not set"),
        (
            "Exception in thread \"main\" java.lang.IllegalStateException: no token\n\tat x.Main.main(Main.java:3)\n",
            "Exception in thread \"main\" java.lang.IllegalStateException: no token",
        ),
        (
            "Unhandled exception. System.Exception: no token\n   at Program.Main()\n",
            "System.Exception: no token",
        ),
        (
            "PHP Fatal error:  Uncaught Error: x in /a.php:3\nStack trace:\n#0 {main}\n",
            "PHP Fatal error:  Uncaught Error: x in /a.php:3",
        ),
        (
            "Can't locate MCP/Server.pm in @INC (you may need to install it)\n",
            "Can't locate MCP/Server.pm in @INC (you may need to install it)",
        ),
        (
            "srv.rb:1:in `require': cannot load such file -- mcp (LoadError)\n\tfrom srv.rb:1:in `<main>'\n",
            "srv.rb:1:in `require': cannot load such file -- mcp (LoadError)",
        ),
    ]);
}

#[test]
fn fc_c2_a_help_text_is_told_as_that_unless_it_says_what_is_missing() {
    assert_table(&[
        (
            "Usage: server [OPTIONS] COMMAND [ARGS]...\n\nOptions:\n  --help  Show this message and exit.\n\nCommands:\n  run\n",
            "it printed its help, so its arguments are not complete: Usage: server [OPTIONS] COMMAND [ARGS]...",
        ),
        (
            "A server.\n\nusage: server DIRECTORY...\n",
            "it printed its help, so its arguments are not complete: usage: server DIRECTORY...",
        ),
        (
            "usage: srv [-h] --token TOKEN\nsrv: error: the following arguments are required: --token\n",
            "srv: error: the following arguments are required: --token",
        ),
        (
            "error: the following required arguments were not provided:\n  <DIR>\n\nUsage: srv <DIR>\n\nFor more information, try '--help'.\n",
            "error: the following required arguments were not provided: <DIR>",
        ),
        (
            "Usage: srv [OPTIONS] DIR\nTry 'srv --help' for help.\n\nError: Missing argument 'DIR'.\n",
            "Error: Missing argument 'DIR'.",
        ),
        // Go: the fault stands above a usage that is not written as others write it.
        (
            "flag provided but not defined: -foo\nUsage of srv:\n  -port int\n    \tthe port\n",
            "flag provided but not defined: -foo",
        ),
        ("flag needs an argument: -port\nUsage of srv:\n", "flag needs an argument: -port"),
        (
            "invalid value \"x\" for flag -port: parse error\nUsage of srv:\n",
            "invalid value \"x\" for flag -port: parse error",
        ),
        (
            "Incorrect Usage: flag provided but not defined: -foo\n\nNAME:\n   srv\n",
            "Incorrect Usage: flag provided but not defined: -foo",
        ),
        (
            "Error: unknown flag: --foo\nUsage:\n  srv [flags]\n\nunknown flag: --foo\n",
            "Error: unknown flag: --foo",
        ),
        (
            "Usage of srv:\n  -port int\n    \tthe port\n",
            "it printed its help, so its arguments are not complete: Usage of srv:",
        ),
    ]);
}

#[test]
fn fa_a16_a_question_is_told_as_one_without_an_answer() {
    for (text, question) in [
        ("Need to install the following packages:\nserver@1.0.0\nOk to proceed? (y) ", "Ok to proceed? (y)"),
        ("Overwrite? [y/N]: ", "Overwrite? [y/N]:"),
        ("Enter passphrase:", "Enter passphrase:"),
        (
            "The authenticity of host 'h' can't be established.\nAre you sure you want to continue connecting (yes/no/[fingerprint])? ",
            "Are you sure you want to continue connecting (yes/no/[fingerprint])?",
        ),
    ] {
        assert_eq!(telling_line(text), format!("it asks {question:?}, which cannot be answered here"));
    }
}

#[test]
fn fa_a80_a_warning_tells_only_where_it_was_made_an_error() {
    assert_table(&[
        (
            "DeprecationWarning: The `punycode` module is deprecated\nError: not logged in, run: gh auth login\n",
            "Error: not logged in, run: gh auth login",
        ),
        ("ResourceWarning: unclosed file\nYou are not logged in.\nbye\n", "You are not logged in."),
        (
            "DeprecationWarning: old\nTraceback (most recent call last):\n  File \"a\"\nKeyError: 'TOKEN'\n",
            "KeyError: 'TOKEN'",
        ),
        (
            "Traceback (most recent call last):\n  File \"a\"\nDeprecationWarning: old\n",
            "DeprecationWarning: old",
        ),
    ]);
}

#[test]
fn a_sign_in_that_is_wanted_is_told_without_a_word_for_an_error() {
    assert_table(&[
        ("Welcome\nYour session has expired.\nGood bye\n", "Your session has expired."),
        ("Please log in first\n(c) Example\n", "Please log in first"),
        ("You are not logged in\nfatal: no token\n", "fatal: no token"),
    ]);
}

#[test]
fn fa_a19_what_no_form_knows_is_the_last_line_that_is_no_frame() {
    assert_table(&[
        ("npm warn x\nmissing API key\n\n", "missing API key"),
        ("  only indented\n", "only indented"),
        (
            "starting\n\u{1b}[31mError:\u{1b}[0m no key\n    at f (node:internal/errors:1)\n\nNode.js v20.1.0\n",
            "Error: no key",
        ),
        ("10%\r50%\r100%\rdone\n", "done"),
        ("", ""),
        ("\n \n", ""),
    ]);
}

#[test]
fn s_b2_fc_c1_the_cause_that_stands_below_an_error_is_told_with_it() {
    assert_table(&[
        (
            "error: x is not available\nwhy: it leads back to itself: call x → x\nnext: mcplink get x\n",
            "error: x is not available: it leads back to itself: call x → x",
        ),
        (
            "Error: cannot start\n\nCaused by:\n    0: cannot read the settings\n    1: no such file: /etc/x\n\nStack backtrace:\n   0: std\n",
            "Error: cannot start: no such file: /etc/x",
        ),
        ("Error: cannot start\n\nCaused by:\n    no key\n", "Error: cannot start: no key"),
        ("Error: cannot start\nCaused by:\n", "Error: cannot start"),
        ("Error: cannot start\n    at main (x.js:1)\n", "Error: cannot start"),
    ]);
}
