// Asks the browser for a passkey, and puts its answer into the form as JSON. The server says what is asked.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const listed = (found) => (found || []).map((one) => ({ ...one, id: bytes(one.id) }));

function asked(kind, options) {
  const read = { ...options, challenge: bytes(options.challenge) };
  if (kind === "get") return { ...read, allowCredentials: listed(options.allowCredentials) };
  const user = { ...options.user, id: bytes(options.user.id) };
  return { ...read, user, excludeCredentials: listed(options.excludeCredentials) };
}

function answered(found) {
  const given = found.response;
  const response = { clientDataJSON: text(given.clientDataJSON) };
  if (given.attestationObject) {
    response.attestationObject = text(given.attestationObject);
    response.transports = given.getTransports ? given.getTransports() : [];
  } else {
    response.authenticatorData = text(given.authenticatorData);
    response.signature = text(given.signature);
    response.userHandle = given.userHandle ? text(given.userHandle) : null;
  }
  return { id: found.id, rawId: text(found.rawId), type: found.type, response, clientExtensionResults: {} };
}

document.documentElement.classList.add("js");
for (const form of document.querySelectorAll("[data-passkey]")) {
  const wrong = form.querySelector("[data-passkey-wrong]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    try {
      const kind = form.dataset.passkey;
      const publicKey = asked(kind, JSON.parse(form.dataset.options));
      const found = await navigator.credentials[kind === "get" ? "get" : "create"]({ publicKey });
      form.elements.answer.value = JSON.stringify(answered(found));
      form.submit();
    } catch {
      wrong.hidden = false;
    }
  });
}
