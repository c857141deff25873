//! An authorization server that rotates one refresh token and takes its reuse for theft, without HTTP: one line in, one line out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Answers `refresh-N` with `access-M refresh-M`. It begins at `refresh-0`, and ends with the test's process.
#[derive(Debug)]
pub struct RotatingServer {
    address: SocketAddr,
    family: Arc<Mutex<Family>>,
}

/// What happens to the token before the current one, until the current one is used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Leeway {
    /// Its use is theft.
    #[default]
    None,
    /// It is honoured, as by servers in the field: a client that is killed between the answer and its store cannot know
    /// the new token.
    Previous,
}

#[derive(Debug, Default)]
struct Family {
    current: u64,
    /// The successor has been seen, so its predecessor is dead.
    is_current_used: bool,
    requests: u64,
    is_revoked: bool,
    leeway: Leeway,
}

impl Family {
    fn answer(&mut self, presented: &str) -> String {
        self.requests += 1;
        let number = presented.strip_prefix("refresh-").and_then(|number| number.parse::<u64>().ok());
        let is_honoured = match number {
            Some(number) if number == self.current => true,
            Some(number) => {
                self.leeway == Leeway::Previous && number + 1 == self.current && !self.is_current_used
            }
            None => false,
        };
        if self.is_revoked || !is_honoured {
            self.is_revoked = true;
            return "invalid_grant".to_owned();
        }
        if number == Some(self.current) {
            self.current += 1;
        }
        self.is_current_used = false;
        format!("access-{0} refresh-{0}", self.current)
    }
}

impl RotatingServer {
    /// A server that answers after `delay`, for clients to be killed in.
    ///
    /// # Errors
    ///
    /// When there is no port.
    pub fn start(delay: Duration, leeway: Leeway) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let family = Arc::new(Mutex::new(Family { leeway, ..Family::default() }));
        let answering = Arc::clone(&family);
        // Ends with the test process; it is not waited for.
        std::thread::spawn(move || {
            // One after the other, as they came: what a killed client had sent is dealt with before what its
            // successor sends, however late a busy machine gets to either.
            for stream in listener.incoming().flatten() {
                let mut line = String::new();
                if BufReader::new(&stream).read_line(&mut line).is_ok() && line.ends_with('\n') {
                    let answer = answering.lock().unwrap_or_else(PoisonError::into_inner).answer(line.trim());
                    std::thread::sleep(delay);
                    // The client may have been killed.
                    let _ = writeln!(&stream, "{answer}");
                }
            }
        });
        Ok(Self { address, family })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests it was sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.family.lock().unwrap_or_else(PoisonError::into_inner).requests
    }

    /// Whether a token was used that was not honoured, which ends the sign-in.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.family.lock().unwrap_or_else(PoisonError::into_inner).is_revoked
    }

    /// Spends a refresh token at the server of this address: an access token and the next refresh token, or `None` where it is refused.
    ///
    /// # Errors
    ///
    /// When there is no answer, or not a whole one.
    pub fn exchange(address: SocketAddr, refresh_token: &str) -> io::Result<Option<(String, String)>> {
        let mut stream = TcpStream::connect(address)?;
        writeln!(stream, "{refresh_token}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.trim() {
            "invalid_grant" => Ok(None),
            answer => match answer.split_once(' ') {
                Some((access, refresh)) => Ok(Some((access.to_owned(), refresh.to_owned()))),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        }
    }
}
