// What this browser remembers: market, bar length, theme, token. Without storage it remembers until the page is left.
const memory = new Map();

export function remembered(name, otherwise) {
  try {
    return localStorage.getItem(`goldsignal.${name}`) ?? otherwise;
  } catch {
    return memory.get(name) ?? otherwise;
  }
}

export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`goldsignal.${name}`);
    else localStorage.setItem(`goldsignal.${name}`, value);
  } catch {
    memory.set(name, value);
  }
}
