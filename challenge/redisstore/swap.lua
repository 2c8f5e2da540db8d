-- KEYS[1]: a session. ARGV: mode (put, add, swap), stamp, ttl in ms, new, old.
-- A value is a byte (1: a session, 0: one that was removed), a count of stamps,
-- the stamps of the calls that changed it last, newest first, and the session.
-- A call whose stamp is there has been done: this is its retry, or the late first
-- attempt of one that was retried.
local mode, stamp, ttl, new, old = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local value = redis.call('GET', KEYS[1])
local live, stamps, session = false, '', ''
if value and #value >= 2 and string.byte(value, 1) <= 1 then
  local size = #stamp * string.byte(value, 2)
  live = string.byte(value, 1) == 1
  stamps, session = string.sub(value, 3, 2 + size), string.sub(value, 3 + size)
  for i = 1, size, #stamp do
    if string.sub(stamps, i, i + #stamp - 1) == stamp then return 'done' end
  end
end
if mode == 'swap' and not live then return 'gone' end
if mode == 'swap' and session ~= old or mode == 'add' and live then return 'conflict' end
if ttl <= 0 and not live then return 'done' end
stamps = stamp .. string.sub(stamps, 1, 7 * #stamp)
local head = string.char(ttl > 0 and 1 or 0, #stamps / #stamp)
-- A server that is full lets a script finish what it has begun to write: what is
-- there may be replaced.
if live then redis.call('PEXPIRE', KEYS[1], 60000) end
if ttl > 0 then
  redis.call('SET', KEYS[1], head .. stamps .. new, 'PX', ttl)
else
  redis.call('SET', KEYS[1], head .. stamps, 'PX', 60000)
end
return 'done'
