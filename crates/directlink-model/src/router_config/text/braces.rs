//! Blocks in braces, and the flat form of the same trees: Junos, VyOS, SR OS (MD-CLI), BIRD.

use super::{DEPTH_MAX, Statement};
use std::{iter::Peekable, mem, str::Chars};

/// What the languages differ in.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Style {
    /// A line's end is a statement's end; otherwise only `;` is.
    pub(in super::super) by_line: bool,
    /// `\"` inside a quoted word; BIRD has no such thing.
    pub(in super::super) escapes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// `set`, `/configure` and their like in front of a line are not part of the path.
pub(in super::super) fn statements(text: &str, style: Style) -> Vec<Statement> {
    let mut blocks: Vec<Vec<String>> = vec![];
    let mut too_deep = 0usize;
    let mut own: Vec<String> = vec![];
    let mut line_of_own = 1;
    let mut found = vec![];
    for (line, token) in tokens(text, style) {
        let ends = !matches!(token, Token::Word(_));
        if ends && !own.is_empty() {
            let (negated, words) = without_prefix(mem::take(&mut own));
            let path = blocks.iter().flatten().cloned();
            let path = path.chain(words.iter().cloned()).collect();
            found.push(Statement { line: line_of_own, negated, words: path });
            own = words;
        }
        match token {
            Token::Word(word) => {
                if own.is_empty() {
                    line_of_own = line;
                }
                own.push(word);
            }
            Token::Open if blocks.len() < DEPTH_MAX => blocks.push(mem::take(&mut own)),
            Token::Open => too_deep += 1,
            Token::Close if too_deep > 0 => too_deep -= 1,
            Token::Close => drop(blocks.pop()),
            Token::End => {}
        }
        if ends {
            own.clear();
        }
    }
    found
}

fn without_prefix(mut words: Vec<String>) -> (bool, Vec<String>) {
    match words.first().map(String::as_str) {
        Some("set" | "/configure" | "configure") if words.len() > 1 => drop(words.remove(0)),
        Some("deactivate" | "inactive:") => {
            words.remove(0);
            return (true, words);
        }
        _ => {}
    }
    (false, words)
}

/// Also used where only words and line ends count.
pub(super) fn tokens(text: &str, style: Style) -> Vec<(usize, Token)> {
    Lexer { rest: text.chars().peekable(), line: 1, style, word: None, found: vec![] }.run()
}

struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    style: Style,
    word: Option<String>,
    found: Vec<(usize, Token)>,
}

impl Lexer<'_> {
    fn run(mut self) -> Vec<(usize, Token)> {
        while let Some(c) = self.rest.next() {
            self.step(c);
        }
        self.put(Token::End);
        self.found
    }

    fn step(&mut self, c: char) {
        let at_start = self.word.is_none();
        match c {
            '\n' => {
                match self.style.by_line {
                    true => self.put(Token::End),
                    false => self.end_word(),
                }
                self.line += 1;
            }
            c if c.is_whitespace() => self.end_word(),
            '#' if at_start => while self.rest.next_if(|c| *c != '\n').is_some() {},
            '/' if at_start && self.rest.peek() == Some(&'*') => self.skip_comment(),
            '"' => self.quoted('"', at_start),
            '\'' if at_start => self.quoted('\'', true),
            '[' | ']' if at_start => {}
            '{' if at_start => self.put(Token::Open),
            '}' if !self.word.as_ref().is_some_and(|word| word.contains('{')) => {
                self.put(Token::Close);
            }
            ';' => self.put(Token::End),
            c => self.word.get_or_insert_default().push(c),
        }
    }

    fn quoted(&mut self, quote: char, whole_word: bool) {
        let line = self.line;
        let mut word = self.word.take().unwrap_or_default();
        while let Some(c) = self.rest.next() {
            match c {
                c if c == quote => break,
                '\\' if self.style.escapes => word.extend(self.rest.next()),
                '\n' => {
                    self.line += 1;
                    word.push('\n');
                }
                c => word.push(c),
            }
        }
        match whole_word {
            true => self.found.push((line, Token::Word(word))),
            false => self.word = Some(word),
        }
    }

    fn skip_comment(&mut self) {
        let mut before = ' ';
        for c in self.rest.by_ref() {
            if c == '\n' {
                self.line += 1;
            }
            if (before, c) == ('*', '/') {
                break;
            }
            before = c;
        }
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            self.found.push((self.line, Token::Word(word)));
        }
    }

    fn put(&mut self, token: Token) {
        self.end_word();
        self.found.push((self.line, token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, by_line: bool) -> Vec<String> {
        let style = Style { by_line, escapes: true };
        let show = |s: &Statement| {
            format!("{}{} {}", s.line, if s.negated { "!" } else { "" }, s.words.join(" "))
        };
        statements(text, style).iter().map(show).collect()
    }

    #[test]
    fn braces_and_set_lines_give_the_same_paths() {
        let braces =
            "interfaces {\n  ge-0/0/0 { /* a;\n b */ inactive: unit 101 { vlan-id 101; } }\n}";
        assert_eq!(
            shown(braces, false),
            [
                "1 interfaces",
                "2 interfaces ge-0/0/0",
                "3! interfaces ge-0/0/0 unit 101",
                "3 interfaces ge-0/0/0 unit 101 vlan-id 101"
            ]
        );
        let set = "set interfaces ge-0/0/0 unit 101 vlan-id 101 # why\ndeactivate interfaces x";
        assert_eq!(
            shown(set, true),
            ["1 interfaces ge-0/0/0 unit 101 vlan-id 101", "2! interfaces x"]
        );
    }

    #[test]
    fn words_in_quotes_and_brackets_stay_whole() {
        assert_eq!(
            shown(r#"policy ["A B" "C"] key "a\"{#" 'x;y' 10.0.0.0/8{16,24} v="1 2""#, true),
            [r#"1 policy A B C key a"{# x;y 10.0.0.0/8{16,24} v=1 2"#]
        );
    }
}
