// phoenix.js on ws, as client_bench measures ours: PORT receive|send|call COUNT [BYTES|WINDOW]
import { createRequire } from "node:module"

const [packages, port, mode, count_text, third_text = "200"] = process.argv.slice(2)
const require = createRequire(packages + "/package.json")
const { Socket } = require("phoenix")
const { WebSocket } = require("ws")
const count = Number(count_text)
const third = Number(third_text)
const payload = { body: "x".repeat(200 - 11) }

const socket = new Socket(`ws://127.0.0.1:${port}/socket`, { transport: WebSocket, timeout: 60000 })
socket.connect()
const topic = { receive: `bench:flood:${count}:${third}`, send: `bench:sink:${count}`, call: "bench:echo" }[mode]
const room = socket.channel(topic)
await new Promise((ok) => room.join().receive("ok", ok))

const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6 }
const wall = () => Number(process.hrtime.bigint()) / 1e9
const [wall0, cpu0] = [wall(), cpu()]
const times = []

if (mode === "receive") {
  let seen = 0
  room.on("shout", ({ body }) => { if (body.length > 0) ++seen })
  await new Promise((ok) => room.push("go", {}).receive("ok", ok))
  if (seen !== count) process.exit(1)
} else if (mode === "send") {
  for (let sent = 0; sent < count;) {
    for (let i = 0; i < 1000 && sent < count; ++i, ++sent) room.push("cursor", payload)
    await new Promise((next) => setImmediate(next))
  }
  await new Promise((ok) => room.push("done", {}).receive("ok", ok))
} else {
  await new Promise((done) => {
    let sent = 0, got = 0, before = wall()
    const ask = () => {
      ++sent
      room.push("ask", payload).receive("ok", () => {
        if (third === 1) { const now = wall(); times.push((now - before) * 1e6); before = now }
        if (sent < count) ask()
        if (++got === count) done()
      })
    }
    for (let i = 0; i < third; ++i) ask()
  })
}
times.sort((a, b) => a - b)
console.log(JSON.stringify({ count, seconds: wall() - wall0, cpu_seconds: cpu() - cpu0,
                             median_us: times[times.length >> 1] ?? 0, allocations: 0 }))
process.exit(0)
