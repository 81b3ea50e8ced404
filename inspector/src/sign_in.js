"use strict";
// The answer to a request with the token brings a cookie that no script can read; the page itself is
// then loaded again with it.
document.getElementById("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = document.getElementById("token").value;
  const says = document.getElementById("says");
  try {
    const answer = await fetch(location.href, { headers: { authorization: `Bearer ${token}` } });
    if (answer.ok) location.reload();
    else says.textContent = answer.status === 403 ? "This token lacks a scope." : "This token is not valid.";
  } catch {
    says.textContent = "The server cannot be reached.";
  }
});
