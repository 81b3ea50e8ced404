//! Histories: a stream a room, and a hash with the epoch and the last offset.
//!
//! An entry's id is its offset. Each command is one script, and so one step.

use bytes::{Bytes, BytesMut};
use redis::{Cmd, FromRedisValue, Value};
use wharf_hub::{
    History, Position, RoomName,
    bus::{Entry, Place, Replay, Topic},
};

use crate::names::Names;

/// What stands before a frame that has a place: the position as text, and a line's end.
const PLACED: &[u8] = b"WP";

/// Numbers, stores and publishes a frame. Where somebody else has written to the keys, so that
/// nothing can be stored any more, the history begins anew; for any other reason it is left alone.
const APPEND: &str = r"
local function append()
  local epoch = redis.call('HGET', KEYS[1], 'e')
  if not epoch then
    epoch = ARGV[5]
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0)
  end
  local offset = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'o', 1))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  local time = redis.call('TIME')
  redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[2], offset .. '-0', 't', time[1], 'f', ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return epoch .. ':' .. offset
end
local stored, place = pcall(append)
if not stored then
  local reason = type(place) == 'table' and place.err or tostring(place)
  if not (reason:find('WRONGTYPE') or reason:find('smaller') or reason:find('not an integer')) then
    return redis.error_reply(reason)
  end
  redis.call('DEL', KEYS[1], KEYS[2])
  place = append()
end
redis.call(ARGV[6], KEYS[3], 'WP' .. place .. '\n' .. ARGV[1])
return place
";

/// Where a history ends, and what it has after an offset of an epoch. Each entry's age in seconds
/// goes with it.
const REPLAY: &str = r"
local head = redis.call('HMGET', KEYS[1], 'e', 'o')
if not head[1] then
  head = {ARGV[3], '0'}
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', head[1], 'o', 0)
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local reply = {head[1] .. ':' .. head[2]}
if ARGV[1] == '' then
  return reply
end
local after = 0
if ARGV[1] == head[1] then
  after = ARGV[2]
end
local time = redis.call('TIME')[1]
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. after .. '-0', '+')) do
  local fields = entry[2]
  local at = tonumber(fields[2])
  if at and (time - at) * 1000 < tonumber(ARGV[5]) then
    reply[#reply + 1] = string.match(entry[1], '^%d+')
    reply[#reply + 1] = fields[4] or ''
  end
end
return reply
";

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// An epoch that has not been before; small enough for any client's numbers.
fn new_epoch() -> String {
    format!("{:x}", fastrand::u64(1..1 << 48))
}

pub(crate) fn append(names: &Names, room: &RoomName, history: History, frame: &Bytes) -> Cmd {
    let mut append = redis::cmd("EVAL");
    append
        .arg(APPEND)
        .arg(3)
        .arg(names.head(room))
        .arg(names.stream(room))
        .arg(names.channel(&Topic::Room(room.clone())))
        .arg(&frame[..])
        .arg(history.messages)
        .arg(milliseconds(history.age))
        .arg(milliseconds(history.remembered_for()))
        .arg(new_epoch())
        .arg(names.publish_command());
    append
}

pub(crate) fn replay(
    names: &Names,
    room: &RoomName,
    history: History,
    since: Option<Position>,
) -> Cmd {
    let epoch = since.map_or_else(String::new, |since| format!("{:x}", since.epoch));
    let mut replay = redis::cmd("EVAL");
    replay
        .arg(REPLAY)
        .arg(2)
        .arg(names.head(room))
        .arg(names.stream(room))
        .arg(epoch)
        .arg(since.map_or(0, |since| since.offset))
        .arg(new_epoch())
        .arg(milliseconds(history.remembered_for()))
        .arg(milliseconds(history.age));
    replay
}

pub(crate) fn read_position(values: &[Value]) -> Option<Position> {
    let place = String::from_redis_value_ref(values.first()?).ok()?;
    place.parse().ok()
}

pub(crate) fn read_replay(values: Vec<Value>, since: Option<Position>) -> Option<Replay> {
    let Some(Value::Array(reply)) = values.into_iter().next() else {
        return None;
    };
    let mut reply = reply.into_iter();
    let head: Position = text(reply.next()?)?.parse().ok()?;
    let mut entries = Vec::new();
    while let Some(offset) = reply.next() {
        entries.push(Entry {
            offset: text(offset)?.parse().ok()?,
            frame: bytes(reply.next()?)?,
        });
    }
    let is_complete = since.is_none_or(|since| {
        let first = entries
            .first()
            .map_or(head.offset + 1, |entry| entry.offset);
        since.epoch == head.epoch && since.offset <= head.offset && first == since.offset + 1
    });
    Some(Replay {
        is_complete,
        entries,
        head,
    })
}

/// Separates a frame from the place that was put before it.
pub(crate) fn take_place(payload: Bytes) -> Option<(Bytes, Option<Place>)> {
    let Some(placed) = payload.strip_prefix(PLACED) else {
        return Some((payload, None));
    };
    let end = placed.iter().take(64).position(|byte| *byte == b'\n')?;
    let position: Position = std::str::from_utf8(&placed[..end]).ok()?.parse().ok()?;
    let place = Place {
        position,
        previous: position.offset.checked_sub(1)?,
    };
    Some((payload.slice(PLACED.len() + end + 1..), Some(place)))
}

fn text(value: Value) -> Option<String> {
    String::from_utf8(bytes(value)?.into()).ok()
}

/// The bytes of an answer, not copied.
pub(crate) fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        Value::SimpleString(text) => Some(text.into()),
        Value::Int(number) => Some(BytesMut::from(number.to_string().as_bytes()).freeze()),
        _ => None,
    }
}
