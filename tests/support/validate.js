// Validates FHIR R4 resources, one a line, with the package fhir; answers each with its messages, one line of JSON.
const { Fhir } = require(process.argv[2]);
const fhir = new Fhir();
require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const found = fhir.validate(JSON.parse(line));
    const messages = found.messages || [];
    console.log(JSON.stringify(messages.map((one) => `${one.severity}: ${one.location || ""}: ${one.message}`)));
  });
