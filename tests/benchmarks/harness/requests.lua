-- wrk script: whole HTTP requests from the file named in GAPURA_BENCH_REQUESTS, each as its length in a line
-- and then its bytes. They are asked in order, and again from the first: where each may be asked only once,
-- as with a DPoP proof, running out of them shows up as refusals, which the benchmark counts.
local requests = {}
local position = 0

function init(args)
  local file = assert(io.open(os.getenv("GAPURA_BENCH_REQUESTS"), "rb"))
  while true do
    local length = file:read("*l")
    if not length then break end
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end

function request()
  position = position % #requests + 1
  return requests[position]
end
