/**
 * DOM nodes. Text becomes text and never markup, so names out of a capture are harmless here.
 */

/**
 * Builds an element. `on` holds listeners; `null`, `undefined` and `false` leave an attribute out; everything else
 * becomes an attribute. Children are nodes or texts; `null` and `false` are left out.
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Puts `children` in the place of what `parent` holds. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** A bar whose length is a share between 0 and 1. */
export function bar(share, className = "bar") {
  const filled = element("span", { class: "bar-filled" });
  filled.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element("span", { class: className, "aria-hidden": "true" }, filled);
}
