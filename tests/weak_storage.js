// An S3-compatible server that accepts and ignores create-only puts. Listens on a free loopback port, prints
// {"endpoint", "access_key_id", "secret_access_key"} on one line, and ends with its standard input.
//
// Usage: weak_storage.js MODULE FOLDER BUCKET

const [location, directory, bucket] = process.argv.slice(2);
const S3rver = require(location);
const server = new S3rver({
  address: "127.0.0.1",
  port: 0,
  directory,
  silent: true,
  configureBuckets: [{ name: bucket, configs: [] }],
});

server.run().then(({ port }) => {
  const told = { endpoint: `http://127.0.0.1:${port}`, access_key_id: "S3RVER", secret_access_key: "S3RVER" };
  console.log(JSON.stringify(told));
});
process.stdin.on("end", () => process.exit()).resume();
