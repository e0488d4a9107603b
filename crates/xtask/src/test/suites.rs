//! The suites: what each needs, and how its runner is started.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::summary::{self, Counts};
use crate::demo::page::{self, OldFiles};
use crate::setup::model::{self, ReadyModel};
use crate::setup::system_packages::{self, BROWSER_VARIABLE};
use crate::setup::wasm_target;
use crate::setup::{npm, python};
use crate::workspace::Workspace;
use crate::{package, process, wasm};

/// All suites, cheapest news first.
pub const NAMES: [&str; 10] =
    ["xtask", "rust", "kernels", "web", "worker", "frameworks", "tokenizer", "templates", "browser", "package"];

/// What each suite does, and how long it takes on two cores; the first time it also compiles.
pub fn about(suite: &str) -> &'static str {
    match suite {
        "xtask" => "the automation's own tests: seconds",
        "rust" => {
            "all crates, on the CPU and on a software GPU: some 5 minutes, the first time 20 (it compiles the GPU stack)"
        }
        "kernels" => "the CPU kernels as WebAssembly, in Node: a minute, the first time 5",
        "web" => "the page's TypeScript with the real policy: 3 minutes",
        "worker" => "the edge worker on workerd and Node: 2 minutes",
        "frameworks" => "unmodified OpenAI clients, the AI SDK and LangChain: seconds",
        "tokenizer" => "token ids beside llama.cpp's: a minute",
        "templates" => "real chat templates beside Jinja2's own rendering: a minute",
        "browser" => "real Chromium: 15 minutes, the first time 30 (it compiles the page's four engines)",
        "package" => "the npm package in an empty project and in each example: 2 minutes",
        _ => "",
    }
}

/// WebAssembly that Node runs without a browser.
const WASI: &str = "wasm32-wasip1";

/// Runs suites and remembers what they share.
pub struct Suites<'a> {
    workspace: &'a Workspace,
    rust_filter: Option<String>,
    model: Option<ReadyModel>,
}

impl<'a> Suites<'a> {
    /// Nothing is set up before a suite needs it.
    pub fn new(workspace: &'a Workspace, rust_filter: Option<String>) -> Self {
        Self { workspace, rust_filter, model: None }
    }

    /// Runs the suite of this name. An error means that it could not run to its end.
    pub fn run(&mut self, name: &str) -> Result<Counts> {
        match name {
            "xtask" => self.xtask(),
            "rust" => self.rust(),
            "kernels" => self.kernels(),
            "web" => self.web(),
            "worker" => self.worker(),
            "frameworks" => self.frameworks(),
            "tokenizer" => self.tokenizer(),
            "templates" => self.templates(),
            "browser" => self.browser(),
            "package" => self.package(),
            _ => bail!("there is no suite {name}"),
        }
    }

    /// xtask apart from the rest: its dependencies would switch on other features of crates that Burn shares, and the GPU
    /// stack would be compiled once more.
    fn xtask(&self) -> Result<Counts> {
        counted(process::cargo(&self.workspace.root).args(["test", "--release", "-p", "xtask"]))
    }

    fn rust(&mut self) -> Result<Counts> {
        system_packages::vulkan()?;
        let mut command = process::cargo(&self.workspace.root);
        command.args(["test", "--release", "--workspace", "--exclude", "xtask", "--no-fail-fast"]);
        if let Some(filter) = &self.rust_filter {
            command.arg(filter);
        }
        self.environment(&mut command)?;
        counted(&mut command)
    }

    /// The CPU kernels as WebAssembly, with and without relaxed SIMD: `.cargo/config.toml` has the flags and Node as runner.
    fn kernels(&self) -> Result<Counts> {
        if let Err(error) = wasm_target::add_to_default_toolchain(self.workspace, WASI) {
            process::note(&format!("left out: {error:#}"));
            return Ok(Counts { skipped: 1, ..Counts::default() });
        }
        let mut counts = Counts::default();
        for features in ["", "relaxed-simd"] {
            counts += counted(&mut self.kernels_command(features))?;
        }
        Ok(counts)
    }

    fn kernels_command(&self, features: &str) -> Command {
        let mut command = process::cargo(&self.workspace.root);
        // Either variable would replace the target's flags instead of adding to them.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.args(["test", "--release", "--target", WASI, "-p", "inshore-ops", "--lib"]);
        command.args(["--no-default-features", "--features", features]);
        command
    }

    fn web(&self) -> Result<Counts> {
        // Its tests run the real policy.
        wasm::build_route(self.workspace)?;
        let folder = self.workspace.path("web");
        npm::install(&folder)?;
        process::run(npm::npm()?.current_dir(&folder).args(["run", "--silent", "typecheck"]))?;
        counted(npm::npm()?.current_dir(&folder).args(["run", "--silent", "test"]))
    }

    /// On a real workerd and on Node, also before a real `inshore serve`.
    fn worker(&mut self) -> Result<Counts> {
        let folder = self.workspace.path("worker");
        npm::install(&folder)?;
        process::run(npm::npm()?.current_dir(&folder).args(["run", "--silent", "typecheck"]))?;
        let mut command = npm::npm()?;
        command.current_dir(&folder).args(["run", "--silent", "test"]);
        self.environment(&mut command)?;
        counted(&mut command)
    }

    /// Unmodified clients in Node; the same clients in a page belong to the browser's suite.
    fn frameworks(&self) -> Result<Counts> {
        npm::install(&self.workspace.path("web"))?;
        let folder = self.workspace.path("tests/frameworks");
        npm::install(&folder)?;
        counted(npm::npm()?.current_dir(&folder).args(["run", "--silent", "test"]))
    }

    fn tokenizer(&mut self) -> Result<Counts> {
        let folder = self.workspace.path("tests/tokenizer");
        npm::install(&folder)?;
        let mut command = Command::new("node");
        command.current_dir(&folder).arg("compare.mjs").arg("--encoder").arg(self.encoder()?);
        self.environment(&mut command)?;
        counted(&mut command)
    }

    /// The templates that llama.cpp's source package brings, against Jinja2 in Python.
    fn templates(&self) -> Result<Counts> {
        let program = self.example("inshore-jinja", "render_cases")?;
        let folder = self.workspace.path("tests/templates");
        counted(python::with_packages(&["jinja2==3.1.6"])?.current_dir(folder).arg("real_templates.py").arg(program))
    }

    /// The tokenizer as a program.
    fn encoder(&self) -> Result<PathBuf> {
        self.example("inshore-tokenizer", "encode_lines")
    }

    /// Builds an example with the features of the host, so that nothing is compiled twice.
    fn example(&self, package: &str, name: &str) -> Result<PathBuf> {
        let selection = ["-p", "inshore-host", "-p", package, "--example", name];
        process::run(process::cargo(&self.workspace.root).args(["build", "--release"]).args(selection))?;
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        Ok(self.workspace.target.join("release/examples").join(file))
    }

    fn browser(&mut self) -> Result<Counts> {
        let browser = system_packages::browser()?;
        page::build(self.workspace, &wasm::build(self.workspace)?, OldFiles::Remove)?;
        let worker = self.workspace.path("worker");
        npm::install(&worker)?;
        process::run(npm::npm()?.current_dir(&worker).args(["run", "--silent", "build"]))?;
        let folder = self.workspace.path("tests/browser");
        npm::install(&folder)?;
        npm::install(&self.workspace.path("tests/frameworks"))?;
        let mut command = npm::npm()?;
        command.current_dir(&folder).args(["run", "--silent", "test"]).env(BROWSER_VARIABLE, browser);
        self.environment(&mut command)?;
        counted(&mut command)
    }

    /// The package as users install it, in an empty project and in each example.
    fn package(&mut self) -> Result<Counts> {
        let browser = system_packages::browser()?;
        package::build(self.workspace, &wasm::build(self.workspace)?)?;
        // Chromium is started by the browser tests' own library; the docs are checked with the clients' own types.
        for shared in ["tests/browser", "tests/frameworks"] {
            npm::install(&self.workspace.path(shared))?;
        }
        let folder = self.workspace.path("tests/package");
        let mut command = npm::npm()?;
        command.current_dir(&folder).args(["run", "--silent", "test"]).env(BROWSER_VARIABLE, browser);
        // Commands in the docs are checked against what this program says of itself.
        command.env("INSHORE_XTASK_BIN", std::env::current_exe()?);
        self.environment(&mut command)?;
        counted(&mut command)
    }

    /// Where tests find the model and the binary; fetches and builds them before the first suite that needs them.
    fn environment(&mut self, command: &mut Command) -> Result<()> {
        let ready = match self.model.take() {
            Some(ready) => ready,
            None => model::ensure(self.workspace)?,
        };
        command.env("INSHORE_TEST_MODEL", &ready.path).env("INSHORE_BIN", &ready.host);
        self.model = Some(ready);
        Ok(())
    }
}

/// Runs a test runner and reads its counts; a runner that fails without a failed test counts as one failure.
fn counted(command: &mut Command) -> Result<Counts> {
    let (success, lines) = process::tee(command)?;
    let mut counts = Counts::default();
    for line in &lines {
        counts += summary::counts_of(line);
    }
    if !success && counts.failed == 0 {
        counts.failed = 1;
    }
    if success && counts.failed > 0 {
        bail!("the runner reported {} failed tests, but ended as if all was well", counts.failed);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_are_built_with_the_targets_own_flags() {
        let workspace = Workspace { root: PathBuf::new(), target: PathBuf::new() };
        let command = Suites::new(&workspace, None).kernels_command("relaxed-simd");
        let line = process::render(&command);
        assert!(line.contains(WASI) && line.ends_with("--no-default-features --features relaxed-simd"), "{line}");
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            assert!(command.get_envs().any(|(key, value)| key == name && value.is_none()), "{name} is inherited");
        }
        let config = include_str!("../../../../.cargo/config.toml");
        assert!(config.contains(&format!("[target.{WASI}]")), "{config}");
    }

    #[test]
    fn every_name_has_a_runner() {
        let workspace = Workspace { root: PathBuf::new(), target: PathBuf::new() };
        let error = Suites::new(&workspace, None).run("nothing").expect_err("no such suite");
        assert!(error.to_string().contains("nothing"));
    }

    #[cfg(unix)]
    #[test]
    fn a_failing_runner_is_a_failure_even_if_it_names_none() {
        let sh = |script: &str| counted(Command::new("sh").args(["-c", script]));
        assert_eq!(sh("echo '3 passed, 0 failed'").expect("ran").passed, 3);
        assert_eq!(sh("echo '3 passed, 0 failed'; exit 1").expect("ran").failed, 1);
        assert_eq!(sh("echo '3 passed, 2 failed'; exit 1").expect("ran").failed, 2);
        assert!(sh("echo '3 passed, 2 failed'").is_err(), "exit status and counts disagree");
    }
}
