// The authorisation of the app: opens the popup and waits for its answer.
(() => {
  const session = JSON.parse(document.getElementById("session").textContent);
  const button = document.getElementById("authorize");
  if (!button) return;
  const message = document.getElementById("message");
  const say = (text) => { message.textContent = text; };

  window.addEventListener("message", (event) => {
    if (event.origin !== window.location.origin || event.data?.kind !== "setlist-authorization") return;
    if (event.data.ok) {
      button.hidden = true;
      document.querySelector("h1").textContent = "Setlist is connected";
      const state = document.getElementById("state");
      state.dataset.authorized = "true";
      state.textContent = "Tickets are assigned while you work. Every decision can be explained.";
      say("");
    } else {
      button.disabled = false;
      say(event.data.text);
    }
  });

  button.addEventListener("click", async () => {
    button.disabled = true;
    say("Waiting for your confirmation in the other window.");
    const popup = window.open("about:blank", "setlist-authorization", "width=620,height=720");
    try {
      const answer = await fetch("/v1/authorization", {
        method: "POST",
        headers: { "x-setlist-session": session.token },
      });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.detail);
      if (popup) popup.location = body.start_url;
      else window.location = body.start_url;
    } catch (error) {
      popup?.close();
      button.disabled = false;
      say(error.message);
    }
  });
  button.disabled = false; // the page comes with it disabled: a click before this line would do nothing
})();
