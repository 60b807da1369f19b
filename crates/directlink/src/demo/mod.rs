//! `directlink demo`: the whole story of a customer, on this machine, each step with its evidence.
//!
//! Nothing is staged: orders go through the public API, the customer's router is BIRD, and every
//! step fails the demo if what it says is not so.

mod evidence;
mod stage;
mod story;
mod tour;

use crate::commands;
use anyhow::Result;
use clap::Args;
use directlink_lab::{LabName, teardown};
use stage::Stage;
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Take everything down after the last step, and exit 0 only if every step was verified
    #[arg(long)]
    once: bool,
    /// Directory of the demo's lab; one below the system's directory for temporary files if left out
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let dir = arguments.state.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("directlink-demo-{}", std::process::id()))
    });
    let name = LabName::of(&dir)?;
    let mut stage = Stage::new();
    let told = commands::block_on(async {
        let story = async {
            let story = story::tell(&mut stage, &dir).await?;
            stage.ends();
            if !arguments.once {
                tour::show(&story)?;
                commands::stop_asked().await?;
            }
            Ok(())
        };
        tokio::select! {
            told = story => told,
            asked = commands::stop_asked() => asked.and_then(|()| anyhow::bail!("interrupted")),
        }
    });
    let logs = if told.is_err() { evidence::last_words(&name) } else { String::new() };
    let down = teardown::take_down(&name);
    if let Err(error) = told {
        stage.fails(&error, &logs);
        down?;
        return Ok(ExitCode::FAILURE);
    }
    down?;
    stage.says("The Region is taken down: no process, namespace, link or file is left.");
    Ok(ExitCode::SUCCESS)
}
