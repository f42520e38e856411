// V8 on the frames of a file, one per line: JSON.parse and JSON.stringify in ns of CPU time per frame, the best of the
// rounds. Usage: node codec_v8.mjs FRAMES
import { readFileSync } from "node:fs"

const lines = readFileSync(process.argv[2], "utf8").trimEnd().split("\n")
const rounds = 15
const roundNs = 40e6
let sink = 0

function cpuNs() {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

function best(work) {
  const once = (n) => {
    const start = cpuNs()
    for (let i = 0; i < n; i++) sink += work()
    return cpuNs() - start
  }
  let n = 16
  while (once(n) < roundNs) n *= 2 // also warms the compiler up
  return Math.min(...Array.from({ length: rounds }, () => once(n) / n))
}

const out = { node: process.version, parse: {}, stringify: {} }
for (const line of lines) {
  const size = Buffer.byteLength(line)
  const value = JSON.parse(line)
  out.parse[size] = best(() => JSON.parse(line).length)
  out.stringify[size] = best(() => JSON.stringify(value).length)
}
if (sink > 0) console.log(JSON.stringify(out))
