-- wrk script: one POST per line of the file named in GAPURA_BENCH_REQUESTS, each with its own DPoP proof.
-- The first line holds the path, the second the token; then "proof TAB body" per request. A proof may be
-- used once, so running out of lines would show up as errors, which the benchmark counts.
local lines = {}
local path, token
local position = 0

function init(args)
  local file = io.open(os.getenv("GAPURA_BENCH_REQUESTS"), "r")
  path = file:read("*l")
  token = file:read("*l")
  for line in file:lines() do
    lines[#lines + 1] = line
  end
  file:close()
end

function request()
  position = position + 1
  local proof, body = lines[position]:match("^([^\t]+)\t(.+)$")
  return wrk.format("POST", path, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "DPoP " .. token,
    ["DPoP"] = proof,
  }, body)
end
