//! What a system wants to know of a command: completions for shells, pages for `man`. Made from the
//! description that reads the command line, so they are as true as it is.

use super::CommandLine;
use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _, ValueEnum};
use std::{fs, path::PathBuf};

#[derive(Args)]
pub(crate) struct CompletionArguments {
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Args)]
pub(crate) struct ManArguments {
    /// Where the pages shall lie, as /usr/local/share/man/man1
    directory: PathBuf,
}

const NAME: &str = "directlink";

pub(crate) fn completion(arguments: &CompletionArguments) -> Result<()> {
    let shell = match arguments.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), NAME, &mut script);
    crate::output::print(String::from_utf8_lossy(&script).trim_end())
}

pub(crate) fn man(arguments: &ManArguments) -> Result<()> {
    let at = || arguments.directory.display().to_string();
    fs::create_dir_all(&arguments.directory).with_context(at)?;
    clap_mangen::generate_to(CommandLine::command(), &arguments.directory).with_context(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_whole_and_in_itself_true() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_has_its_page() {
        let dir = tempfile::tempdir().unwrap();
        man(&ManArguments { directory: dir.path().join("man1") }).unwrap();
        for page in ["directlink", "directlink-connection-order", "directlink-cross-connect-patch"]
        {
            let text = fs::read_to_string(dir.path().join(format!("man1/{page}.1"))).unwrap();
            assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS"), "{page}");
        }
    }
}
