// Tells the page that opened this window how the authorisation ended. No secret passes here.
(() => {
  const outcome = JSON.parse(document.getElementById("outcome").textContent);
  window.opener?.postMessage({ kind: "setlist-authorization", ...outcome }, window.location.origin);
})();
