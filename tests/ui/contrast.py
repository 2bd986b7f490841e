"""Contrast of text, computed from the colours that the browser shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator

MIN_CONTRAST = 4.5
"""The least contrast of text and its background, by WCAG 2.1 AA."""
LOW_CONTRAST_JS = """(root, least) => {
  const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
    .getContext('2d', { willReadFrequently: true });
  const toRgba = color => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const blend = ([r, g, b, a], below) => [r, g, b].map((each, at) => each * a + below[at] * (1 - a));
  const background = element => {
    if (!element) return [255, 255, 255];
    const color = toRgba(getComputedStyle(element).backgroundColor);
    return color[3] === 1 ? color.slice(0, 3) : blend(color, background(element.parentElement));
  };
  const luminance = rgb => {
    const [r, g, b] = rgb.map(each => each / 255)
      .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = element => element ? getComputedStyle(element).opacity * opacity(element.parentElement) : 1;
  const measure = (element, style, own = 1) => {
    const below = background(element);
    const [r, g, b, a] = toRgba(style.color);
    const text = blend([r, g, b, a * own * opacity(element)], below);
    const [low, high] = [luminance(text), luminance(below)].sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05);
  };
  const isChecked = element => {
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1 && element.checkVisibility({ checkVisibilityCSS: true })
      && !element.closest(':disabled, [aria-disabled=true], [inert]');
  };
  // ipywidgets fills elements with a space of no width.
  const visible = text => text.replace(/\\u200b/g, '').trim();
  const texts = [];
  for (const element of [root, ...root.querySelectorAll('*')].filter(isChecked)) {
    const own = [...element.childNodes].filter(each => each.nodeType === Node.TEXT_NODE);
    const typed = element.matches('textarea, [type=text], select') ? element.value : '';
    const text = visible(own.map(each => each.data).join('')) || typed;
    if (text) {
      texts.push([measure(element, getComputedStyle(element)), `${text} (${element.className})`]);
    } else if (visible(element.placeholder ?? '')) {
      const style = getComputedStyle(element, '::placeholder');
      const ratio = measure(element, style, style.opacity);
      texts.push([ratio, `${element.placeholder} (${element.className}, ${style.color}, ${style.opacity})`]);
    }
  }
  const low = texts.filter(([ratio]) => ratio < least);
  return { checked: texts.length, low: low.map(([ratio, text]) => `${ratio.toFixed(2)}: ${text}`) };
}"""
"""Return the texts and placeholders in an element whose contrast is too low; disabled controls are left out."""


def low_contrast_texts(root: Locator) -> list[str]:
    """Return the texts in an element with too little contrast, after checking that there is text."""
    result = root.evaluate(LOW_CONTRAST_JS, MIN_CONTRAST)
    assert result["checked"] > 0
    return list(result["low"])
