// Hands the options of the page to the browser, which asks for a passkey, and sends
// its answer with the form. Web Authentication Level 3, section 5.1.
"use strict";
(() => {
  const form = document.getElementById("passkey");
  if (!form || !window.PublicKeyCredential) return;

  const bytes = (text) => {
    const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, (c) => c.charCodeAt(0)).buffer;
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const options = () => {
    const o = JSON.parse(form.dataset.options).publicKey;
    o.challenge = bytes(o.challenge);
    if (o.user) o.user.id = bytes(o.user.id);
    for (const list of [o.excludeCredentials, o.allowCredentials]) {
      for (const c of list || []) c.id = bytes(c.id);
    }
    return { publicKey: o };
  };

  const answer = (c) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (c.response[name]) response[name] = text(c.response[name]);
    }
    if (c.response.getTransports) response.transports = c.response.getTransports();
    return JSON.stringify({
      id: c.id, rawId: text(c.rawId), type: c.type, response,
      clientExtensionResults: c.getClientExtensionResults(),
      ...(c.authenticatorAttachment && { authenticatorAttachment: c.authenticatorAttachment }),
    });
  };

  const problem = document.getElementById("passkey-problem");
  let asking = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) return;
    asking = true;
    problem.hidden = true;
    try {
      const credential = await navigator.credentials[form.dataset.kind](options());
      form.elements.response.value = answer(credential);
      form.submit(); // without this listener
    } catch {
      problem.hidden = false;
      asking = false;
    }
  });
  document.getElementById("no-script").hidden = true;
  form.hidden = false;
})();
