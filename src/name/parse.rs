//! The text grammar of paths, name trees and dtabs: a recursive descent whose errors are, to the letter,
//! those that users of Linkerd know.
//!
//! A `#` starts a comment only where whitespace may stand, so `/foo#x` is one label while `/foo #x` ends
//! after `/foo`.

use super::dtab::WILDCARD;
use super::error::Expected;
use super::path::{is_showable, push_label};
use super::{Dentry, Dtab, NameTree, ParseError, Path, Prefix, Weight, Weighted};
use std::str::Chars;

/// How deep parentheses may nest. It bounds the nesting of every parsed tree, and so the stack that reading,
/// walking and dropping it needs; a table written by hand stays far below.
pub const MAX_PARENTHESES: usize = 32;

/// Reads exactly one path.
pub(super) fn path(text: &str) -> Result<Path, ParseError> {
    Parser::new(text).whole(Parser::path)
}

/// Reads exactly one name tree.
pub(super) fn tree(text: &str) -> Result<NameTree<Path>, ParseError> {
    Parser::new(text).whole(Parser::tree)
}

/// Reads exactly one dtab.
pub(super) fn dtab(text: &str) -> Result<Dtab, ParseError> {
    Parser::new(text).whole(Parser::dtab)
}

struct Parser<'t> {
    input: &'t str,
    rest: Chars<'t>,
    parentheses: usize,
}

impl<'t> Parser<'t> {
    fn new(input: &'t str) -> Self {
        Self { input, rest: input.chars(), parentheses: 0 }
    }

    /// What `parse` reads, which must be all of the text.
    fn whole<T>(mut self, parse: fn(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        let value = parse(&mut self)?;
        self.skip_blank();
        if self.peek().is_some() { Err(self.error(Expected::End)) } else { Ok(value) }
    }

    // dtab = [ dentry *( ";" dentry ) [ ";" ] ]
    fn dtab(&mut self) -> Result<Dtab, ParseError> {
        let mut dentries = Vec::new();
        loop {
            self.skip_blank();
            if self.peek().is_none() {
                break;
            }
            dentries.push(self.dentry()?);
            self.skip_blank();
            if !self.skip(';') {
                break;
            }
        }
        Ok(dentries.into_iter().collect())
    }

    // dentry = prefix "=>" tree
    fn dentry(&mut self) -> Result<Dentry, ParseError> {
        let prefix = self.prefix()?;
        self.skip_blank();
        self.expect('=')?;
        self.expect('>')?;
        Ok(Dentry { prefix, tree: self.tree()? })
    }

    // prefix = "/" [ elem *( "/" elem ) ], elem = "*" / label
    fn prefix(&mut self) -> Result<Prefix, ParseError> {
        let mut text = String::new();
        self.expect('/')?;
        if self.peek() == Some('*') || self.at_label() {
            loop {
                if self.skip('*') {
                    text.push('/');
                    text.push_str(WILDCARD);
                } else {
                    self.label(&mut text)?;
                }
                if !self.skip('/') {
                    break;
                }
            }
        }
        Ok(Prefix::from_canonical(text))
    }

    // tree = union *( "|" union )
    fn tree(&mut self) -> Result<NameTree<Path>, ParseError> {
        let first = self.union()?;
        if self.peek() != Some('|') {
            return Ok(first);
        }
        let mut trees = vec![first];
        while self.skip('|') {
            trees.push(self.union()?);
        }
        Ok(NameTree::Alt(trees))
    }

    // union = weighted *( "&" weighted ); a union of one is its branch, without the weight
    fn union(&mut self) -> Result<NameTree<Path>, ParseError> {
        let first = self.weighted()?;
        if self.peek() != Some('&') {
            return Ok(first.tree);
        }
        let mut branches = vec![first];
        while self.skip('&') {
            branches.push(self.weighted()?);
        }
        Ok(NameTree::Union(branches))
    }

    // weighted = [ number "*" ] simple; leaves the parser behind the blanks that follow
    fn weighted(&mut self) -> Result<Weighted<Path>, ParseError> {
        self.skip_blank();
        let weight = match self.peek() {
            Some('0'..='9' | '.') => {
                let weight = self.number()?;
                self.skip_blank();
                self.expect('*')?;
                self.skip_blank();
                weight
            }
            _ => Weight::ONE,
        };
        let tree = self.simple()?;
        self.skip_blank();
        Ok(Weighted { weight, tree })
    }

    // simple = "(" tree ")" / path / "!" / "~" / "$"
    fn simple(&mut self) -> Result<NameTree<Path>, ParseError> {
        match self.peek() {
            Some('/') => Ok(NameTree::Leaf(self.path()?)),
            Some('(') => {
                if self.parentheses == MAX_PARENTHESES {
                    return Err(self.error(Expected::FewerParentheses));
                }
                self.parentheses += 1;
                self.expect('(')?;
                let tree = self.tree()?;
                self.expect(')')?;
                self.parentheses -= 1;
                Ok(tree)
            }
            _ if self.skip('!') => Ok(NameTree::Fail),
            _ if self.skip('~') => Ok(NameTree::Neg),
            _ if self.skip('$') => Ok(NameTree::Empty),
            _ => Err(self.error(Expected::Simple)),
        }
    }

    // number = 1*( DIGIT / "." ), at most one dot and not a dot alone
    fn number(&mut self) -> Result<Weight, ParseError> {
        let start = self.rest.as_str();
        let mut last = None;
        let mut seen_dot = false;
        while let Some(next @ ('0'..='9' | '.')) = self.peek() {
            if next == '.' && seen_dot {
                return Err(self.error(Expected::NumberChar));
            }
            seen_dot |= next == '.';
            last = self.rest.next();
        }
        let (text, _) = start.split_at(start.len() - self.rest.as_str().len());
        // Both errors are noticed behind the number, and name its last character as the one that is wrong.
        let number: f64 = text.parse().map_err(|_| self.error_at(Expected::Weight, last))?;
        Weight::new(number).ok_or_else(|| self.error_at(Expected::SmallerWeight, last))
    }

    // path = "/" [ label *( "/" label ) ]
    fn path(&mut self) -> Result<Path, ParseError> {
        let mut text = String::new();
        self.skip_blank();
        self.expect('/')?;
        if self.at_label() {
            self.label(&mut text)?;
            while self.skip('/') {
                self.label(&mut text)?;
            }
        }
        Ok(Path::from_canonical(text))
    }

    /// Reads a label and appends its canonical text.
    fn label(&mut self, text: &mut String) -> Result<(), ParseError> {
        if !self.at_label() {
            return Err(self.error(Expected::LabelChar));
        }
        let mut bytes = Vec::new();
        loop {
            if self.skip('\\') {
                self.expect('x')?;
                bytes.push(self.hex()? << 4 | self.hex()?);
            } else if let Some(byte) = self.peek().and_then(showable) {
                self.rest.next();
                bytes.push(byte);
            } else {
                push_label(text, &bytes);
                return Ok(());
            }
        }
    }

    fn hex(&mut self) -> Result<u8, ParseError> {
        let digit = self.peek().and_then(|next| next.to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        let digit = digit.ok_or_else(|| self.error(Expected::HexChar))?;
        self.rest.next();
        Ok(digit)
    }

    fn at_label(&self) -> bool {
        self.peek().is_some_and(|next| next == '\\' || showable(next).is_some())
    }

    /// Skips whitespace and comments.
    fn skip_blank(&mut self) {
        loop {
            match self.peek() {
                Some('#') => {
                    self.rest.find(|next| *next == '\n');
                }
                Some(next) if is_whitespace(next) => {
                    self.rest.next();
                }
                _ => return,
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    /// Skips `wanted` if it comes next.
    fn skip(&mut self, wanted: char) -> bool {
        let comes = self.peek() == Some(wanted);
        if comes {
            self.rest.next();
        }
        comes
    }

    fn expect(&mut self, wanted: char) -> Result<(), ParseError> {
        if self.skip(wanted) { Ok(()) } else { Err(self.error(Expected::Char(wanted))) }
    }

    fn error(&self, expected: Expected) -> ParseError {
        self.error_at(expected, self.peek())
    }

    fn error_at(&self, expected: Expected, found: Option<char>) -> ParseError {
        ParseError::new(expected, found, self.input.len() - self.rest.as_str().len(), self.input)
    }
}

/// The byte of a character that can stand for itself in a label.
fn showable(next: char) -> Option<u8> {
    u8::try_from(next).ok().filter(|byte| is_showable(*byte))
}

/// Java's idea of whitespace, which differs from Unicode's: no no-break spaces and no NEL, but the four
/// separators of ASCII.
fn is_whitespace(next: char) -> bool {
    match next {
        '\u{1c}'..='\u{1f}' => true,
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        _ => next.is_whitespace(),
    }
}

#[cfg(test)]
mod tests;
