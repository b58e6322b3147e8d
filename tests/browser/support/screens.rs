//! What a page looks like: at three widths, light and dark.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::browser::Browser;

/// The most of a page that a screen keeps, in CSS pixels.
const MOST_HEIGHT: f64 = 8_000.0;

/// What the reader's system asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// As stylesheets and file names call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A window, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its width.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// A phone's: touched, and laid out by the page's own word on its viewport.
    pub mobile: bool,
}

impl View {
    /// A small phone.
    pub const PHONE: Self = Self { width: 360, height: 740, mobile: true };
    /// A tablet, or half a screen.
    pub const TABLET: Self = Self { width: 768, height: 1024, mobile: false };
    /// A desk.
    pub const DESK: Self = Self { width: 1440, height: 900, mobile: false };

    /// All that every page is looked at in.
    pub const ALL: [Self; 3] = [Self::PHONE, Self::TABLET, Self::DESK];
}

/// Where a journey's screens go, numbered in the order in which they were taken.
pub struct Album {
    folder: PathBuf,
    taken: AtomicUsize,
}

impl Album {
    /// An empty one: what an earlier run left is removed.
    pub fn new(journey: &str) -> Self {
        let folder = target().join("screens").join(journey);
        // There may be none.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, taken: AtomicUsize::new(1) }
    }

    fn next(&self) -> usize {
        self.taken.fetch_add(1, Ordering::Relaxed)
    }
}

impl Browser {
    /// Looks at the page in every width and theme: keeps a screen of each, and fails if the page is wider than its
    /// window, if an icon draws nothing, or if axe-core finds a violation.
    #[track_caller]
    pub fn looks(&self, name: &str) {
        let number = self.album.next();
        let mut complaints = Vec::new();
        for theme in Theme::ALL {
            for view in View::ALL {
                self.show_as(view, theme);
                let file = format!("{number:02}-{name}-{}-{}", view.width, theme.name());
                self.keep(&file);
                complaints.extend(self.overflow().map(|wide| format!("{file}: {wide}")));
                complaints.extend(self.blank_icon().map(|blank| format!("{file}: {blank}")));
                complaints.extend(self.violations().into_iter().map(|found| format!("{file}: {found}")));
            }
        }
        self.show_as(View::DESK, Theme::Light);
        assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    }

    /// Keeps a screen of the page as it stands, the whole of it.
    #[track_caller]
    pub fn snap(&self, name: &str) {
        self.keep(&format!("{:02}-{name}", self.album.next()));
    }

    /// Shows pages in a window of this size, in a theme, without motion.
    #[track_caller]
    pub fn show_as(&self, view: View, theme: Theme) {
        let View { width, height, mobile } = view;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
        self.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": mobile }));
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": theme.name() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.devtools("Emulation.setEmulatedMedia", features);
        // Two frames later everything is laid out and drawn.
        let drawn = "return new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))";
        self.run(drawn, &[]);
    }

    /// By how much the page is wider than its window, and what sticks out furthest.
    pub fn overflow(&self) -> Option<String> {
        let script = r#"
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return null;
            let widest = null;
            for (const element of document.body.querySelectorAll("*")) {
                const { left } = element.getBoundingClientRect();
                const right = left + Math.max(element.scrollWidth, element.offsetWidth || 0);
                if (right > width && (!widest || right >= widest.right)) widest = { right, element };
            }
            const by = document.documentElement.scrollWidth - width;
            return `${by} px too wide: ${widest ? widest.element.outerHTML.slice(0, 200) : "?"}`;
        "#;
        self.run(script, &[]).as_str().map(str::to_owned)
    }

    /// An icon that is not drawn: nothing of the sprite is behind its name, or it has no colour.
    fn blank_icon(&self) -> Option<String> {
        let script = r#"
            const seen = [...document.querySelectorAll("svg use")].filter(use => use.checkVisibility());
            const blank = seen.find(use => {
                const { fill, stroke } = getComputedStyle(use);
                return use.getBBox().width === 0 || (fill === "none" && stroke === "none");
            });
            return blank ? `an icon that draws nothing: ${blank.outerHTML}` : null;
        "#;
        self.run(script, &[]).as_str().map(str::to_owned)
    }

    #[track_caller]
    fn keep(&self, name: &str) {
        let size = self.devtools("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let height = size["height"].as_f64().unwrap().min(MOST_HEIGHT);
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.devtools("Page.captureScreenshot", asked);
        let image = STANDARD.decode(taken["data"].as_str().expect("an image")).unwrap();
        fs::write(self.album.folder.join(format!("{name}.png")), image).unwrap();
    }

    /// Keeps what the person saw when a journey failed: screen, page and console.
    pub fn keep_for_inquest(&self) {
        let file = |ending: &str| self.album.folder.join(format!("failed-{}.{ending}", self.person));
        self.keep(&format!("failed-{}", self.person));
        let page = self.run("return document.documentElement.outerHTML", &[]);
        fs::write(file("html"), format!("<!-- {} -->\n{}", self.url(), page.as_str().unwrap_or_default()))
            .unwrap();
        fs::write(file("console"), self.complaints().join("\n")).unwrap();
        eprintln!("what {} saw last: {}", self.person, file("png").display());
    }
}

/// The folder that cargo builds in: the test executable lies in `target/debug/deps`.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).map(Path::to_owned).expect("a test lies in cargo's folder")
}
