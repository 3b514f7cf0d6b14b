//! The query string: paging, and what else a list understands.

use crate::search::{Direction, Refusal};

/// The parameters of a request.
#[derive(Debug, Clone)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    /// What is not about paging, as it was sent: links to other pages repeat it.
    kept: String,
}

/// Which page of which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageParams {
    pub(crate) page: usize,
    pub(crate) size: usize,
}

impl PageParams {
    pub(crate) const fn offset(self) -> usize {
        (self.page - 1).saturating_mul(self.size)
    }
}

impl Params {
    pub(crate) fn read(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let about_paging = |part: &&str| part.starts_with("page=") || part.starts_with("pageSize=");
        let kept = query.split('&').filter(|part| !part.is_empty() && !about_paging(part));
        let kept = kept.fold(String::new(), |kept, part| kept + "&" + part);
        Self { pairs, kept }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| format!("{name} is not a number from 1 to {most}"))
    }

    /// Page (from 1) and page size (default 100), or why they make no sense.
    pub(crate) fn paging(&self, most: usize) -> Result<PageParams, Refusal> {
        let page = self.number("page", 1, usize::MAX)?;
        Ok(PageParams { page, size: self.number("pageSize", most.min(100), most)? })
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(format!("{name} is neither true nor false")),
        }
    }

    /// `sort=asc` or `sort=desc`, ascending unless it says otherwise.
    pub(crate) fn direction(&self) -> Result<Direction, Refusal> {
        self.direction_or(Direction::Ascending)
    }

    /// `sort=asc` or `sort=desc`, or else the list's own order.
    pub(crate) fn direction_or(&self, order: Direction) -> Result<Direction, Refusal> {
        match self.get("sort") {
            None => Ok(order),
            Some("asc") => Ok(Direction::Ascending),
            Some("desc") => Ok(Direction::Descending),
            Some(_) => Err("sort is neither asc nor desc".into()),
        }
    }

    /// Whether `include=…` names these.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.get("include").is_some_and(|names| names.split(',').any(|other| other == name))
    }

    /// The query as it was sent, from its question mark on, without paging by number and without some parameters.
    pub(crate) fn without(&self, names: &[&str]) -> String {
        let named = |part: &str| names.contains(&part.split('=').next().unwrap_or(part));
        let parts: Vec<&str> = self.kept.split('&').filter(|part| !part.is_empty() && !named(part)).collect();
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }

    /// The path of another page of the same list.
    pub(crate) fn link(&self, path: &str, page: usize, size: usize) -> String {
        format!("{path}?page={page}&pageSize={size}{}", self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_repeat_what_is_not_about_paging() {
        let params = Params::read("filter%5BupdatedAt%5D%5Bgte%5D=2026-10-01&page=3&pageSize=50&sort=updatedAt");
        assert_eq!(params.get("filter[updatedAt][gte]"), Some("2026-10-01"));
        assert_eq!(params.paging(100).unwrap(), PageParams { page: 3, size: 50 });
        let link = params.link("/v1/customers", 4, 50);
        assert_eq!(link, "/v1/customers?page=4&pageSize=50&filter%5BupdatedAt%5D%5Bgte%5D=2026-10-01&sort=updatedAt");
    }

    #[test]
    fn senseless_pages_are_refused() {
        for query in ["page=0", "page=x", "pageSize=0", "pageSize=101", "page=-1"] {
            assert!(Params::read(query).paging(100).is_err(), "{query}");
        }
        assert_eq!(Params::read("").paging(500).unwrap(), PageParams { page: 1, size: 100 });
    }
}
