// A program that does nothing until it is told to end.
process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1e9);
console.log('READY');
