// One command to the daemon. Never throws: what went wrong is the message.

const NOT_DELIVERED = "focusd does not answer. Whether the command reached it cannot be told.";

export async function ask(name, values, patienceMs = 0) {
  try {
    const response = await fetch(`/panel/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(values),
      priority: "high",
      // Older telephones wait for as long as it takes.
      signal: patienceMs ? AbortSignal.timeout?.(patienceMs) : undefined,
    });
    const { done, code, message } = await response.json();
    return { done: done === true, code, message: String(message ?? "") };
  } catch {
    return { done: false, code: "lost", message: NOT_DELIVERED };
  }
}
