//! `inshore serve` as a child: started, waited for until it is healthy, ended with xtask.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// Loading a model from a slow disk takes a while; more than this is a hang.
const START_LIMIT: Duration = Duration::from_secs(180);

/// What to serve and where.
#[derive(Clone, Copy)]
pub struct ServeOptions<'a> {
    /// The `inshore` binary.
    pub host: &'a Path,
    /// The model file.
    pub model: &'a Path,
    /// The built page.
    pub web: &'a Path,
    /// `auto`, `gpu` or `cpu`, for the server's own engine.
    pub device: &'a str,
    /// The port, or 0 for a free one.
    pub port: u16,
}

/// A running server.
pub struct Server {
    child: Child,
    /// Its address, `http://127.0.0.1:<port>`.
    pub url: String,
}

impl Server {
    /// Starts the server and waits until `/health` answers.
    pub fn start(options: &ServeOptions<'_>) -> Result<Self> {
        let port = if options.port == 0 { free_port()? } else { options.port };
        let mut command = Command::new(options.host);
        command
            .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string(), "--device", options.device])
            .arg("--model")
            .arg(options.model)
            .arg("--web")
            .arg(options.web)
            .stdin(Stdio::null());
        process::note(&format!("$ {}", process::render(&command)));
        let start = Instant::now();
        let child = command.spawn().with_context(|| format!("could not start {}", options.host.display()))?;
        let mut server = Self { child, url: format!("http://127.0.0.1:{port}") };
        while !is_healthy(port) {
            if let Some(status) = server.child.try_wait()? {
                bail!("`inshore serve` ended at once ({status}); its own message is above. Is port {port} in use?");
            }
            if start.elapsed() > START_LIMIT {
                bail!("`inshore serve` did not answer /health within {}", process::seconds(START_LIMIT));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        process::note(&format!("serving after {}", process::seconds(start.elapsed())));
        Ok(server)
    }

    /// Exit status of the server, if it has ended (by itself, or by Ctrl-C, which it receives too).
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("lost the server")
    }

    /// Asks the server to end after the answers that are running, and waits for it.
    pub fn stop(mut self) -> Result<()> {
        let asked = cfg!(unix) && process::output(Command::new("kill").arg(self.child.id().to_string())).is_ok();
        if !asked {
            self.child.kill().context("could not stop the server")?;
        }
        self.child.wait().map(drop).context("lost the server")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn is_healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut status = [0_u8; 12];
        stream.read_exact(&mut status)?;
        Ok(String::from_utf8_lossy(&status).into_owned())
    };
    ask().is_ok_and(|status| status.ends_with(" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_once(text: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("one connection");
            let _ = stream.read(&mut [0_u8; 1024]);
            let _ = stream.write_all(text.as_bytes());
        });
        port
    }

    #[test]
    fn only_status_200_is_healthy() {
        assert!(is_healthy(answer_once("HTTP/1.1 200 OK\r\n\r\nok")));
        assert!(!is_healthy(answer_once("HTTP/1.1 503 Loading\r\n\r\n")));
        assert!(!is_healthy(answer_once("")));
        assert!(!is_healthy(free_port().expect("a free port")), "nobody listens");
    }
}
