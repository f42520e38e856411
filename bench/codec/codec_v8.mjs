// V8 on the same frames: JSON.parse and JSON.stringify, ns per frame, the median of the rounds. Usage: node codec_v8.mjs FRAMES
import { readFileSync } from "node:fs"

const lines = readFileSync(process.argv[2], "utf8").trimEnd().split("\n")
const rounds = 15
const roundNs = 40e6
let sink = 0

function median(work) {
  const once = (n) => {
    const start = process.hrtime.bigint()
    for (let i = 0; i < n; i++) sink += work()
    return Number(process.hrtime.bigint() - start)
  }
  let n = 16
  while (once(n) < roundNs / 4) n *= 2 // also warms the compiler up
  const times = Array.from({ length: rounds }, () => once(n) / n).sort((a, b) => a - b)
  return times[rounds >> 1]
}

const out = { node: process.version, parse: {}, stringify: {} }
for (const line of lines) {
  const size = Buffer.byteLength(line)
  const value = JSON.parse(line)
  out.parse[size] = median(() => JSON.parse(line).length)
  out.stringify[size] = median(() => JSON.stringify(value).length)
}
console.log(JSON.stringify(out))
if (sink < 0) console.log(sink)
