// The slide viewer: OpenSeadragon over the portal's tiles, its own buttons, a scale bar, and in a
// meeting the chairman's view. Loaded on the viewer's page alone.
import OpenSeadragon from "openseadragon";
import { sameView, scaleBar, throttled } from "./slide_rules.js";

const SHARE_EVERY_MS = 250;

function tileSource({ width, height, tile, overlap, top, tiles }) {
  return {
    width: Number(width),
    height: Number(height),
    tileSize: Number(tile),
    tileOverlap: Number(overlap),
    minLevel: 0,
    maxLevel: Number(top),
    getTileUrl: (level, column, row) =>
      tiles.replace("/0/0_0.jpeg", `/${level}/${column}_${row}.jpeg`),
  };
}

function openViewer(element) {
  return OpenSeadragon({
    element,
    tileSources: tileSource(element.dataset),
    // the canvas takes plain images: no script made on the fly, which the security policy forbids
    drawer: "canvas",
    showNavigationControl: false,
    showNavigator: true,
    navigatorPosition: "BOTTOM_RIGHT",
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    gestureSettingsTouch: { pinchRotate: true },
    animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.6,
    maxZoomPixelRatio: 4,
    visibilityRatio: 0.3,
  });
}

function buttons(viewer) {
  const acts = {
    in: () => viewer.viewport.zoomBy(1.6),
    out: () => viewer.viewport.zoomBy(1 / 1.6),
    home: () => viewer.viewport.goHome(),
    right: () => viewer.viewport.rotateBy(90),
    // the frame, so that the buttons and the scale stay
    full: () =>
      document.fullscreenElement
        ? document.exitFullscreen()
        : viewer.element.closest(".slide-frame").requestFullscreen(),
  };
  document.addEventListener("click", (event) => {
    const act = acts[event.target.closest("[data-viewer-act]")?.dataset.viewerAct];
    if (!act) return;
    act();
    viewer.viewport?.applyConstraints();
  });
}

function showScale(viewer, element, bar) {
  const microns = Number(element.dataset.microns);
  if (!bar || !(microns > 0)) return;
  const line = bar.querySelector("[data-scale-line]");
  const word = bar.querySelector("[data-scale-word]");
  const draw = () => {
    const image = viewer.world.getItemAt(0);
    if (!image) return;
    const shown = scaleBar(microns / image.viewportToImageZoom(viewer.viewport.getZoom(true)));
    bar.hidden = shown === null;
    if (shown === null) return;
    line.style.width = `${shown.px}px`;
    word.textContent = shown.label;
  };
  for (const event of ["open", "animation", "animation-finish", "resize"]) viewer.addHandler(event, draw);
}

// --- the meeting ---------------------------------------------------------------------------------

function currentView(viewer, slide) {
  const centre = viewer.viewport.getCenter();
  return {
    slide: Number(slide),
    x: centre.x,
    y: centre.y,
    zoom: viewer.viewport.getZoom(),
    rotation: viewer.viewport.getRotation(),
  };
}

function lead(viewer, element, box, room) {
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  let last = null;
  const send = throttled(async (view) => {
    if (!box.checked || sameView(view, last)) return;
    try {
      const answer = await fetch(room.dataset.viewUrl, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify(view),
      });
      if (answer.ok) last = view; // what was lost is sent with the next movement
    } catch {
      last = null;
    }
  }, SHARE_EVERY_MS);
  const share = () => box.checked && send(currentView(viewer, element.dataset.slide));
  for (const event of ["animation", "animation-finish", "rotate", "open"]) viewer.addHandler(event, share);
  box.addEventListener("change", share);
}

function follow(viewer, element, box, room) {
  const word = room.querySelector("[data-follow-word]");
  const take = async () => {
    if (!box.checked) return;
    let view;
    try {
      const answer = await fetch(room.dataset.viewUrl, { headers: { "X-Portal-Live": "1" } });
      if (!answer.ok) return;
      view = await answer.json();
    } catch {
      return; // the next push, or the next look, brings it
    }
    if (!view.slide || !box.checked) return;
    if (String(view.slide) !== element.dataset.slide) {
      location.assign(`${room.dataset.slideUrl.replace("/0/", `/${view.slide}/`)}?follow=1`);
      return;
    }
    viewer.viewport.panTo(new OpenSeadragon.Point(view.x, view.y));
    viewer.viewport.zoomTo(view.zoom);
    viewer.viewport.setRotation(view.rotation);
  };
  const tell = () => {
    word.textContent = box.checked ? room.dataset.following : room.dataset.onOneself;
  };
  // whoever takes hold of the picture goes their own way, and may come back
  const leave = () => {
    if (!box.checked) return;
    box.checked = false;
    tell();
  };
  for (const event of ["canvas-drag", "canvas-scroll", "canvas-pinch", "canvas-key"]) viewer.addHandler(event, leave);
  room.addEventListener("live", take);
  box.addEventListener("change", () => {
    tell();
    take();
  });
  box.checked = new URLSearchParams(location.search).has("follow");
  tell();
  viewer.addHandler("open", take);
}

const element = document.getElementById("slide-viewer");
if (element) {
  const viewer = openViewer(element);
  const failed = document.getElementById("slide-failed");
  viewer.addHandler("tile-load-failed", () => {
    if (failed) failed.hidden = false;
  });
  viewer.addHandler("tile-loaded", () => {
    if (failed) failed.hidden = true;
  });
  viewer.canvas.setAttribute("aria-label", element.dataset.label);
  viewer.canvas.setAttribute("role", "application");
  buttons(viewer);
  showScale(viewer, element, document.getElementById("slide-scale"));
  const room = document.getElementById("slide-room");
  const box = room?.querySelector("input[type=checkbox]");
  if (box) (room.dataset.leading ? lead : follow)(viewer, element, box, room);
}
