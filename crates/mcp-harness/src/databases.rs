//! Real databases, as Debian's packages have them: `redis-server` and `postgresql`, which `cargo xtask setup` installs.
//!
//! Each has a folder of its own that goes with it, a free port of loopback and a password, and ends with the test.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Missing, system_program};

/// A database that is there has answered by then, on the busiest machine.
const START: Duration = Duration::from_secs(60);
const PASSWORD: &str = "canary-database-password";

/// A real database that listens. Dropping it ends it.
#[derive(Debug)]
pub struct RealDatabase {
    kind: Kind,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
    /// It speaks TLS alone, with `cert.pem` and `key.pem` of its folder.
    tls: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Redis(PathBuf),
    Postgres(PathBuf),
}

impl RealDatabase {
    /// Redis that keeps nothing on disk.
    ///
    /// # Errors
    ///
    /// It is not on this machine.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn redis() -> Result<Self, Missing> {
        let program = system_program("redis-server")?;
        Ok(Self::start(Kind::Redis(program)))
    }

    /// The same with TLS: a certificate and its key, in PEM.
    ///
    /// # Errors
    ///
    /// It is not on this machine.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn redis_with_tls(cert: &Path, key: &Path) -> Result<Self, Missing> {
        let program = system_program("redis-server")?;
        let mut database = Self::prepare(Kind::Redis(program));
        database.keep_certificate(cert, key);
        database.resume();
        Ok(database)
    }

    /// PostgreSQL with an empty database.
    ///
    /// # Errors
    ///
    /// It is not on this machine.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn postgres() -> Result<Self, Missing> {
        Self::postgres_with(None)
    }

    /// The same with TLS: a certificate and its key, in PEM.
    ///
    /// # Errors
    ///
    /// It is not on this machine.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn postgres_with_tls(cert: &Path, key: &Path) -> Result<Self, Missing> {
        Self::postgres_with(Some((cert, key)))
    }

    fn keep_certificate(&mut self, cert: &Path, key: &Path) {
        let folder = self.folder.path();
        for (from, name) in [(cert, "cert.pem"), (key, "key.pem")] {
            let text = fs::read(from).expect("a file of the test");
            fs::write(folder.join(name), text).expect("a file of the test");
            // PostgreSQL takes no key that others may read.
            let _ = Command::new("chmod").arg("600").arg(folder.join(name)).status();
        }
        self.tls = true;
    }

    fn postgres_with(certificate: Option<(&Path, &Path)>) -> Result<Self, Missing> {
        // Debian keeps several versions beside each other, and none of them on the path.
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let folder = versions
            .map(|version| version.path().join("bin"))
            .filter(|bin| bin.join("initdb").exists())
            .max();
        let folder = folder.ok_or(Missing::Tool("postgres"))?;
        let mut database = Self::prepare(Kind::Postgres(folder.clone()));
        if let Some((cert, key)) = certificate {
            database.keep_certificate(cert, key);
        }
        let data = database.folder.path().join("data");
        let password = database.folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file of the test");
        let owner = Command::new("chown").args(["-R", "postgres"]).arg(database.folder.path()).status();
        assert!(!is_root() || owner.is_ok_and(|status| status.success()), "no account `postgres`");
        let made = unprivileged(&folder.join("initdb"))
            .args(["--auth=scram-sha-256", "--username=test", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .arg("--pwfile")
            .arg(&password)
            .arg(&data)
            .output()
            .expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        database.resume();
        Ok(database)
    }

    fn start(kind: Kind) -> Self {
        let mut database = Self::prepare(kind);
        database.resume();
        database
    }

    fn prepare(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the database");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        Self { kind, folder, port, process: None, tls: false }
    }

    /// Its URL, with a password.
    #[must_use]
    pub fn url(&self) -> String {
        let port = self.port;
        match self.kind {
            Kind::Redis(_) => {
                let s = if self.tls { "s" } else { "" };
                format!("redis{s}://:{PASSWORD}@127.0.0.1:{port}/0")
            }
            Kind::Postgres(_) => {
                let mode = if self.tls { "?sslmode=require" } else { "" };
                format!("postgres://test:{PASSWORD}@127.0.0.1:{port}/postgres{mode}")
            }
        }
    }

    /// Ends it, with everything that Redis holds; PostgreSQL keeps its data.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // PostgreSQL's quick end; Redis takes it for any other.
        let _ = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
        let give_up = Instant::now() + Duration::from_secs(10);
        while process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > give_up {
                let _ = process.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again on the same port.
    ///
    /// # Panics
    ///
    /// When it does not listen within a minute.
    pub fn resume(&mut self) {
        let mut command = match &self.kind {
            Kind::Redis(program) => {
                let mut command = ending_with_its_test(program);
                command.args([
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--daemonize",
                    "no",
                ]);
                let port = self.port.to_string();
                command.args(["--requirepass", PASSWORD]);
                match self.tls {
                    true => {
                        command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]).args([
                            "--tls-cert-file",
                            "cert.pem",
                            "--tls-key-file",
                            "key.pem",
                            "--tls-ca-cert-file",
                            "cert.pem",
                        ])
                    }
                    false => command.args(["--port", &port]),
                };
                command
            }
            Kind::Postgres(folder) => {
                let mut command = unprivileged(&folder.join("postgres"));
                command.arg("-D").arg(self.folder.path().join("data"));
                command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
                if self.tls {
                    let [cert, key] = ["cert", "key"].map(|name| {
                        let path = self.folder.path().join(format!("{name}.pem"));
                        format!("ssl_{name}_file={}", path.display())
                    });
                    command.args(["-c", "ssl=on", "-c", &cert, "-c", &key]);
                }
                command.args(["-c", "fsync=off", "-c", "max_connections=200", "-p", &self.port.to_string()]);
                command
            }
        };
        let log = fs::File::create(self.folder.path().join("log")).expect("a file of the test");
        let errors = log.try_clone().expect("a file of the test");
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut process = command.spawn().expect("the database starts");
        let give_up = Instant::now() + START;
        while !self.is_ready() {
            let has_ended = process.try_wait().is_ok_and(|ended| ended.is_some());
            assert!(!has_ended && Instant::now() < give_up, "the database does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
    }

    /// Whether it takes statements, and not connections alone.
    fn is_ready(&self) -> bool {
        match self.kind {
            Kind::Redis(_) => {
                let ping = || {
                    let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
                    write!(stream, "PING\r\n")
                };
                ping().is_ok()
            }
            Kind::Postgres(_) => self.log().contains("database system is ready to accept connections"),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for RealDatabase {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let mut command = ending_with_its_test(program);
    if is_root() {
        command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "INT", "--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
    }
    command
}

/// However the test ends.
fn ending_with_its_test(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]).arg(program);
    command
}
