// Makes a discoverable passkey as Sealbook's enrolment does, and uses it without naming it; tells what came back.
const random = length => crypto.getRandomValues(new Uint8Array(length));
const hex = bytes => [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, "0")).join("");
const status = document.getElementById("status");
const value = id => document.getElementById(id).value;

// Authenticator data (WebAuthn §6.1): a hash, flags, a counter, then the AAGUID.
const flags = data => new DataView(data).getUint8(32);

async function create() {
  const made = await navigator.credentials.create({ publicKey: {
    rp: { id: "localhost", name: "Sealbook" },
    user: { id: random(16), name: value("name"), displayName: value("name") },
    challenge: random(32),
    // EdDSA, ES256, RS256: Chromium warns in the console where one of the latter two is not taken.
    pubKeyCredParams: [-8, -7, -257].map(alg => ({ type: "public-key", alg })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    attestation: "direct",
  } });
  const data = made.response.getAuthenticatorData();
  const attestation = new TextDecoder("latin1").decode(made.response.attestationObject);
  return {
    id: hex(made.rawId),
    // {"fmt": …: a map, the text "fmt", then a text shorter than 24 bytes (RFC 8949).
    format: attestation.substr(6, attestation.charCodeAt(5) & 0x1f),
    certificate: attestation.includes("x5c"),
    aaguid: hex(data.slice(37, 53)),
    flags: flags(data),
    algorithm: made.response.getPublicKeyAlgorithm(),
    transports: made.response.getTransports(),
  };
}

async function get() {
  const given = await navigator.credentials.get({ publicKey: {
    rpId: "localhost", challenge: random(32), userVerification: "required", allowCredentials: [],
  } });
  return {
    id: hex(given.rawId),
    flags: flags(given.response.authenticatorData),
    user: hex(given.response.userHandle),
    seat: value("seat"),
    sure: document.getElementById("sure").checked,
    name: value("name"),
  };
}

const tell = ceremony => async () => {
  try {
    status.dataset.answer = JSON.stringify(await ceremony());
    status.textContent = "done";
  } catch (error) {
    status.textContent = `refused: ${error.name}`;
  }
};
document.getElementById("create").addEventListener("click", tell(create));
document.getElementById("get").addEventListener("click", tell(get));
