// Runs before the first paint, so that neither the colours nor the language flicker.
(() => {
  const root = document.documentElement;
  const asked = new URLSearchParams(location.search);
  const read = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage is switched off: defaults are fine
    }
  };
  const theme = asked.get("theme") || read("demo.theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const lang = asked.get("lang") || read("demo.lang") || navigator.language || "ru";
  root.lang = /^(ru|be|kk|uk)/i.test(lang) ? "ru" : "en";
})();
