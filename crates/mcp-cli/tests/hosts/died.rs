//! Every real local server, killed under a bridge: while idle, and in a call. The next call works.

use std::path::Path;
use std::time::{Duration, Instant};

use mcp_harness::{Ask, Mcplink, RealServer, process_is_alive, real_or_skip};
use mcp_testkit::TempHome;
use mcp_transport::Connection;

use crate::restarted::{call, host};

/// Interpreters are slow on a loaded machine; nothing here waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

macro_rules! died {
    ($($name:ident: $server:expr;)*) => {
        pub(crate) const ROWS: &[&str] = &[$(stringify!($server)),*];
        $(#[tokio::test]
        async fn $name() {
            if let Some(server) = real_or_skip($server) {
                survives_a_death(&server).await;
            }
        })*
    };
}

died! {
    fa_a22_a23_everything: RealServer::everything();
    fa_a22_a23_typescript_1: RealServer::typescript_1();
    fa_a22_a23_typescript_2: RealServer::typescript_2();
    fa_a22_a23_typescript_2_modern: RealServer::typescript_2().map(RealServer::modern_over_stdio);
    fa_a22_a23_python_1: RealServer::python_1();
    fa_a22_a23_python_2: RealServer::python();
    fa_a22_a23_fastmcp: RealServer::fastmcp();
    fa_a22_a23_rmcp: RealServer::rmcp();
    fa_a22_a23_rmcp_modern: RealServer::rmcp().map(RealServer::modern_over_stdio);
}

async fn survives_a_death(server: &RealServer) {
    let home = TempHome::new().unwrap();
    let pids = home.home().join("pids");
    // It leaves its number, and becomes the server.
    let mut args =
        vec!["-c".to_owned(), "echo $$ >>\"$0\"; exec \"$@\"".to_owned(), path(&pids), path(&server.program)];
    args.extend(server.stdio_arguments.iter().cloned());
    let servers = serde_json::json!({ "mcpServers": { "remote": {
        "command": "/bin/sh", "args": args, "env": { "PATH": "/usr/local/bin:/usr/bin:/bin" }
    } } });
    home.write(".claude.json", servers.to_string()).unwrap();
    let started = || -> Vec<u32> {
        let text = std::fs::read_to_string(&pids).unwrap_or_default();
        text.lines().map(|pid| pid.parse().unwrap()).collect()
    };

    let host = host(&home).await;
    let echo = &server.surface().echo;
    works(&host, echo).await;
    // Two where one of the modern era alone ends with the first question of the other era.
    let processes = started().len();

    // While idle. A call that comes before the bridge has noticed may have run, so it says so and is not repeated.
    kill(*started().last().unwrap()).await;
    works(&host, echo).await;
    assert!(started().len() > processes, "it was another process");

    // In a call, which fails at once; the next one starts it again.
    let endless = &server.surface().endless;
    let victim = *started().last().unwrap();
    let began = Instant::now();
    let (answer, ()) = tokio::join!(call(&host, endless), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        kill(victim).await;
    });
    let answer = answer.unwrap_err();
    assert!(answer.contains("SIGKILL") && began.elapsed() < PATIENCE, "{answer}");
    works(&host, echo).await;
    let after = started();
    assert!(
        *after.last().unwrap() != victim && after.len() <= 4 * processes,
        "{after:?}: one start for each death"
    );

    let status = Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &home).args(["status", "remote"]);
    let status = status.run().expect_code(0);
    assert!(!status.stdout.contains("failed"), "{status}");
    host.close().await;
    // An interpreter that is told to end takes its time to.
    let deadline = Instant::now() + PATIENCE;
    while started().into_iter().any(process_is_alive) {
        assert!(Instant::now() < deadline, "{:?}: one of them outlives the bridge", started());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Calls until there is an answer: a call waits half a minute for a server that starts, and no longer.
async fn works(host: &Connection, ask: &Ask) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(report) = call(host, ask).await {
        assert!(Instant::now() < deadline, "{report}");
    }
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

async fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + PATIENCE;
    while process_is_alive(pid) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
