//! Processes of the network: started, awaited, measured, stopped and killed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::roles::Role;

/// How long a process may take to say that it is ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(90);

/// The executable that can be every command of the house.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// `executable` answers to `as ROLE …`.
    #[must_use]
    pub fn new(executable: PathBuf) -> Self {
        Self(executable)
    }

    fn command<A: AsRef<OsStr>>(&self, role: Role, arguments: &[A]) -> Command {
        let mut command = Command::new(&self.0);
        command.arg("as").arg(role.word()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and gives what it printed.
    ///
    /// # Errors
    /// When it cannot start or does not end well; with what it said.
    pub fn run<A: AsRef<OsStr>>(&self, role: Role, arguments: &[A]) -> anyhow::Result<String> {
        self.run_with_input(role, arguments, "")
    }

    /// The same, with something to read on its standard input.
    ///
    /// # Errors
    /// When it cannot start or does not end well; with what it said.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        role: Role,
        arguments: &[A],
        input: &str,
    ) -> anyhow::Result<String> {
        let mut command = self.command(role, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start a process")?;
        // One that reads nothing may be gone already.
        child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()).ok());
        let output = child.wait_with_output().context("cannot start a process")?;
        let shown: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect();
        if !output.status.success() {
            bail!(
                "{} {}: {}\n{}{}",
                role.program(),
                shown.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a server; its messages go to `log`. Gives it once it printed its first line, which says where it
    /// listens.
    ///
    /// # Errors
    /// When it cannot start, ends, or stays silent too long; with the end of its log.
    pub fn start<A: AsRef<OsStr>>(&self, role: Role, arguments: &[A], log: &Path) -> anyhow::Result<Running> {
        let messages = File::options().create(true).append(true).open(log).context("a log file")?;
        let mut child = self
            .command(role, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::from(messages))
            .spawn()
            .context("cannot start a process")?;
        let pid = Pid::from_child(&child);
        let (said, first_line) = channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || first_line_and_drain(stdout, |line| said.send(line).is_ok()));
        }
        let (ended, exit) = channel();
        thread::spawn(move || ended.send(wait(child)).is_ok());
        let mut running = Running { role, pid, exit, status: None, ready: String::new() };
        match first_line.recv_timeout(PATIENCE) {
            Ok(line) if !line.is_empty() => {
                running.ready = line;
                Ok(running)
            }
            _ => {
                running.kill()?;
                bail!("{} did not become ready: {}", role.program(), tail(log));
            }
        }
    }
}

fn wait(mut child: Child) -> ExitStatus {
    child.wait().unwrap_or_else(|_| ExitStatus::from_raw(-1))
}

fn first_line_and_drain(stdout: ChildStdout, say: impl FnOnce(String) -> bool) {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    if say(lines.next().unwrap_or_default()) {
        lines.for_each(drop);
    }
}

/// The last lines of a log, for an error message.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// A server that runs. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    role: Role,
    pid: Pid,
    exit: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
    ready: String,
}

impl Running {
    /// The first line that it printed.
    #[must_use]
    pub fn ready_line(&self) -> &str {
        &self.ready
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it does not go.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.end(Signal::KILL)
    }

    /// Asks it to stop (SIGTERM) and waits for its exit status.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.end(Signal::TERM)
    }

    /// Stops it where it stands (SIGSTOP), as a machine whose power goes: it does nothing more until it is killed.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn freeze(&self) -> anyhow::Result<()> {
        kill_process(self.pid, Signal::STOP).context("cannot signal a process")
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        kill_process(self.pid, signal).context("cannot signal a process")?;
        match self.exit.recv_timeout(PATIENCE) {
            Ok(status) => Ok(*self.status.insert(status)),
            Err(_) => bail!("{} did not end within {} s", self.role.program(), PATIENCE.as_secs()),
        }
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            match self.exit.try_recv() {
                Ok(status) => self.status = Some(status),
                Err(_running) => return None,
            }
        }
        self.status
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        match self.exit.recv_timeout(limit) {
            Ok(status) => Ok(*self.status.insert(status)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                bail!("{} still runs", self.role.program())
            }
        }
    }

    /// Most memory that it ever held, bytes (`VmHWM`).
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1_024)
    }

    /// CPU time that all its threads have used, user and system.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let after_name = stat.rsplit(')').next().context("the process's statistics")?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // proc(5): utime and stime are fields 14 and 15; the first after the name is field 3.
        let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
        let used = ticks(14).zip(ticks(15)).map(|(user, system)| user + system).context("CPU time")?;
        Ok(Duration::from_millis(used * 1_000 / rustix::param::clock_ticks_per_second().max(1)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing more can be done for a process that does not even die.
        drop(self.kill());
    }
}
