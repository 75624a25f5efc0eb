//! A portal as a shop's developer would write it: takes events by HTTP, verifies each signature by code of its own, and fails as it is
//! told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{CONFIG, Shop};

/// What is shared with the portal, and no output may hold.
pub const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBwb3J0YWwgaW4gdGVzdHM=";

/// What the portal does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Status(u16),
    /// Takes it, and says nothing for so many seconds.
    Hang(u64),
    /// Takes it, and closes the connection.
    Reset,
    /// Wants to be called at another path.
    Redirect,
}

/// An event as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub id: String,
    pub body: Value,
    pub text: String,
    pub path: String,
    pub replied: Reply,
}

type Replies = Arc<Mutex<Box<dyn FnMut(&Arrived) -> Reply + Send>>>;

pub struct Portal {
    pub port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    replies: Replies,
}

impl Portal {
    /// Takes everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let replies: Replies = Arc::new(Mutex::new(Box::new(|_: &Arrived| Reply::Status(204))));
        let portal = Self { port, arrived: Arc::clone(&arrived), replies: Arc::clone(&replies) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (arrived, replies) = (Arc::clone(&arrived), Arc::clone(&replies));
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    let Some(mut event) = read(&stream) else { return };
                    event.replied = replies.lock().unwrap()(&event);
                    let reply = event.replied;
                    arrived.lock().unwrap().push(event);
                    answer(&stream, reply);
                });
            }
        });
        portal
    }

    pub fn replies(&self, reply: impl FnMut(&Arrived) -> Reply + Send + 'static) {
        *self.replies.lock().unwrap() = Box::new(reply);
    }

    /// Everything that arrived, in this order.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.arrived.lock().unwrap().clear();
    }

    /// What was taken: `TYPE OBJECT`, in the order of its coming.
    pub fn taken(&self) -> Vec<String> {
        let taken = self.arrived().into_iter().filter(|event| matches!(event.replied, Reply::Status(200..=299)));
        taken.map(|event| named(&event)).collect()
    }

    /// As the table of the config has it.
    pub fn table(&self) -> String {
        format!(
            "\n[portal]\nwebhook_url = \"http://127.0.0.1:{}/events?shop=1\"\nsecret = {{ file = \"portal-secret\" }}\ntimeout = \"1 s\"\n",
            self.port
        )
    }

    /// A shop that tells this portal; `more` goes into the config.
    pub fn shop(&self, more: &str) -> Shop {
        let shop = Shop::with(&format!("{CONFIG}{more}{}", self.table()));
        shop.write("portal-secret", SECRET);
        shop
    }
}

pub fn named(event: &Arrived) -> String {
    format!("{} {}", text(event, "type"), text(event, "object"))
}

pub fn text(event: &Arrived, key: &str) -> String {
    event.body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Each object's events arrive in their order; one that comes again was not taken before, or comes again as it was.
pub fn assert_in_order(arrived: &[Arrived]) {
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for event in arrived {
        let sequence = event.body.get("sequence").and_then(Value::as_u64).unwrap();
        let next = next.entry(text(event, "object")).or_insert(sequence);
        assert!(sequence <= *next, "{} came before number {next}", named(event));
        *next = (*next).max(sequence + 1);
        let before = seen.entry(event.id.clone()).or_insert_with(|| event.text.clone());
        assert_eq!(*before, event.text, "{} says something else under the same id", named(event));
    }
}

fn read(stream: &TcpStream) -> Option<Arrived> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    let text = String::from_utf8(body).unwrap();
    let header = |name: &str| headers.get(name).cloned().unwrap_or_else(|| panic!("no header {name}"));
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let signed = format!("v1,{}", base64(&hmac(format!("{id}.{at}.{text}").as_bytes())));
    assert_eq!(header("webhook-signature"), signed, "the signature does not fit");
    assert_eq!(header("content-type"), "application/json");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(at.parse().unwrap()) < 60, "{at} is not now");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body.get("id").and_then(Value::as_str), Some(id.as_str()));
    let path = first.split(' ').nth(1).unwrap().to_owned();
    Some(Arrived { id, body, text, path, replied: Reply::Reset })
}

fn answer(mut stream: &TcpStream, reply: Reply) {
    let head = match reply {
        Reply::Status(status) => format!("HTTP/1.1 {status} Said\r\nretry-after: 3600\r\n"),
        Reply::Redirect => "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n".to_owned(),
        Reply::Hang(seconds) => {
            std::thread::sleep(Duration::from_secs(seconds));
            "HTTP/1.1 200 OK\r\n".to_owned()
        }
        Reply::Reset => return,
    };
    drop(write!(stream, "{head}content-length: 0\r\nconnection: close\r\n\r\n"));
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// As RFC 2104 defines it.
fn hmac(message: &[u8]) -> Vec<u8> {
    let key = base64::engine::general_purpose::STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let block = |pad: u8| (0..64).map(|at| key.get(at).copied().unwrap_or_default() ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(block(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block(0x5c)).chain_update(inner).finalize().to_vec()
}
