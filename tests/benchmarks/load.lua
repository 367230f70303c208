-- wrk's part of load.py: posts the photo in $PHOTO, counts statuses, ends with one line of JSON.
local file = assert(io.open(os.getenv("PHOTO"), "rb"))
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "image/jpeg"
file:close()

local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() statuses = "" end -- one digit group a response: threads hand over strings, not tables
function response(status) statuses = statuses .. status .. " " end

function done(summary, latency)
  local counts, errors = {}, summary.errors
  for _, thread in ipairs(threads) do
    for status in string.gmatch(thread:get("statuses"), "%d+") do counts[status] = (counts[status] or 0) + 1 end
  end
  local parts = {}
  for status, count in pairs(counts) do table.insert(parts, string.format('"%s": %d', status, count)) end
  print(string.format(
    '{"seconds": %f, "p50": %f, "p95": %f, "p99": %f, "max": %f, "broken": %d, "late": %d, "statuses": {%s}}',
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.connect + errors.read + errors.write, errors.timeout, table.concat(parts, ", ")))
end
