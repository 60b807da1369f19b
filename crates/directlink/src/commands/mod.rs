//! The command line: what can be typed, and who does it.

mod accounts;
mod agent;
mod audit;
mod authorities;
mod check_config;
mod connections;
mod customer;
mod diagnose;
mod documents;
mod exit;
mod faults;
mod glass;
mod interfaces;
mod inventory;
mod lab;
mod maintenance;
mod nets;
mod operator;
mod serve;
mod sites;
mod store;
mod unrepeated;
mod wait;
mod watch;
mod webhooks;
mod what_if;

use crate::{config_file, demo};
use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand};
use directlink_telemetry::{Collector, Export, Settings};
use exit::Exit;
use std::{ffi::OsString, future::Future, io::IsTerminal as _, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Metadata;
use tracing_subscriber::{
    Layer as _,
    filter::{FilterFn, LevelFilter},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};
use unrepeated::Unrepeated;

/// Dedicated private interconnect: fibre ports, VLANs and BGP into Nets, as a service.
#[derive(Parser)]
#[command(name = "directlink", version, arg_required_else_help = true, max_term_width = 110, after_help = exit::HELP)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole story on this machine: order, cable, BGP, traffic, a pulled cable
    Demo(demo::Arguments),
    /// A Region on this machine: routers, cables and hosts as network namespaces
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Run the control plane of a Region
    Serve(Box<serve::Arguments>),
    /// Run the agent of one DirectLink router
    Agent(Box<agent::Arguments>),
    /// Copy a Region's database, save it to a file, and restore it
    #[command(subcommand)]
    Store(store::StoreCommand),
    #[command(flatten)]
    Operator(operator::OperatorCommand),
    /// Check a file of settings, and say what comes of it; without a file, print all that there are
    CheckConfig(check_config::Arguments),
    /// Look again and again at what another command reads
    Watch(watch::Arguments),
    /// Print the completion of a shell: `source <(directlink completion bash)`
    Completion(documents::CompletionArguments),
    /// Write the manual pages
    Man(documents::ManArguments),
}

impl CommandLine {
    /// Whether it changes nothing.
    const fn only_reads(&self) -> bool {
        match &self.command {
            Command::Operator(command) => command.only_reads(),
            Command::Lab(lab::LabCommand::Status { .. }) => true,
            _ => false,
        }
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    match words().and_then(|words| run(CommandLine::parse_from(words))) {
        Ok(code) => code,
        Err(error) => exit::of(&error),
    }
}

/// What was typed, with what a file says. The description of all commands is gone again: a megabyte,
/// which an agent would keep for months.
fn words() -> Result<Vec<OsString>> {
    let typed = std::env::args_os().collect();
    config_file::expand(&CommandLine::command(), typed, |variable| std::env::var_os(variable))
}

fn run(line: CommandLine) -> Result<ExitCode> {
    match line.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Lab(command) => lab::run(command),
        Command::Serve(arguments) => serve::run(*arguments).map(|()| ExitCode::SUCCESS),
        Command::Agent(arguments) => agent::run(*arguments).map(|()| ExitCode::SUCCESS),
        Command::Store(command) => store::run(command).map(|()| ExitCode::SUCCESS),
        Command::Operator(command) => operator::run(command).map(|()| ExitCode::SUCCESS),
        Command::CheckConfig(arguments) => {
            check_config::run(&arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::Watch(arguments) => watch::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Completion(arguments) => {
            documents::completion(&arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(arguments) => documents::man(&arguments).map(|()| ExitCode::SUCCESS),
    }
}

/// For commands that ask one thing after the other.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}

/// For the long-running parts.
fn serve_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}

/// Returns when somebody wants the process to end: Ctrl-C, or a service manager.
pub(crate) async fn stop_asked() -> Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("SIGINT"),
        _ = terminated.recv() => Ok(()),
    }
}

/// How the long-running parts write their log.
#[derive(clap::Args)]
struct LogArguments {
    /// The least severe lines that are written: error, warn, info, debug or trace
    #[arg(long, env = "DIRECTLINK_LOG", default_value = "info", value_name = "LEVEL")]
    log: LevelFilter,
    /// One JSON object a line, for collectors
    #[arg(long, env = "DIRECTLINK_LOG_JSON")]
    log_json: bool,
    /// Whoever takes OpenTelemetry's OTLP over HTTP, as http://127.0.0.1:4318: traces of calls go there, and log lines as
    /// well. The standard's variables say the rest (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, …)
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_parser = Unrepeated::<Collector>::PARSER,
        value_name = "URL"
    )]
    otlp_endpoint: Option<Collector>,
}

impl LogArguments {
    /// From now on there are logs. What is exported as well, as whose: `directlink-agent` and the router's name.
    fn start(&self, whose: (&str, Option<&str>)) -> Result<Option<Export>> {
        let settings = self.exported(whose)?;
        let export = settings.as_ref().map(Export::start).transpose()?;
        let level = self.log;
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        let lines = match self.log_json {
            true => lines.json().boxed(),
            false => lines.boxed(),
        };
        // Spans are for those who follow calls: where nobody does, they are off at their call sites.
        let events = FilterFn::new(move |it: &Metadata<'_>| it.is_event() && *it.level() <= level);
        let mut layers = vec![lines.with_filter(events.with_max_level_hint(level)).boxed()];
        layers.extend(export.iter().flat_map(|export| export.layers(level)));
        tracing_subscriber::registry().with(layers).init();
        Ok(export)
    }

    fn exported(&self, whose: (&str, Option<&str>)) -> Result<Option<Settings>> {
        let variable = |name: &str| std::env::var_os(name);
        let collector = self.otlp_endpoint.clone().unwrap_or_default();
        Settings::new(&collector, whose, variable).context("OpenTelemetry")
    }
}
