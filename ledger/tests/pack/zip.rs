//! A zip with every field at hand, so that a test can say any of them wrongly.

/// A member, with what its local header and its entry in the directory say. Fields as APPNOTE 4.3.7 and 4.3.12 order
/// them.
#[derive(Clone)]
pub struct ZipMember {
    pub name: Vec<u8>,
    pub bytes: Vec<u8>,
    pub local: Fields,
    pub central: Fields,
    /// After the data.
    pub trailer: Vec<u8>,
    /// Whether the directory has it.
    pub listed: bool,
}

#[derive(Clone)]
pub struct Fields {
    pub version: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc: u32,
    pub compressed: u32,
    pub size: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
}

/// An archive, and what stands around its members.
#[derive(Clone)]
pub struct Zip {
    pub prefix: Vec<u8>,
    pub members: Vec<ZipMember>,
    pub external: u32,
    pub made_by: u16,
    pub comment: Vec<u8>,
    pub suffix: Vec<u8>,
}

pub fn member(name: &str, bytes: &[u8]) -> ZipMember {
    let size = bytes.len() as u32;
    let fields = Fields {
        version: 10,
        flags: 0,
        method: 0,
        time: 0,
        date: 0x21,
        crc: crc32(bytes),
        compressed: size,
        size,
        name: name.into(),
        extra: Vec::new(),
    };
    ZipMember {
        name: name.into(),
        bytes: bytes.to_vec(),
        local: fields.clone(),
        central: fields,
        trailer: Vec::new(),
        listed: true,
    }
}

impl Zip {
    pub fn of(members: Vec<ZipMember>) -> Self {
        Self {
            prefix: Vec::new(),
            members,
            external: 0x81a4_0000,
            made_by: 0x030a,
            comment: Vec::new(),
            suffix: Vec::new(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let (mut directory, mut listed) = (Vec::new(), 0u16);
        for member in &self.members {
            if member.listed {
                listed += 1;
                directory.extend(b"PK\x01\x02");
                directory.extend(self.made_by.to_le_bytes());
                directory.extend(member.central.bytes());
                directory.extend([0; 6]);
                directory.extend(self.external.to_le_bytes());
                directory.extend((out.len() as u32).to_le_bytes());
                directory.extend(&member.central.name);
                directory.extend(&member.central.extra);
            }
            out.extend(b"PK\x03\x04");
            out.extend(member.local.bytes());
            out.extend(&member.local.name);
            out.extend(&member.local.extra);
            out.extend(&member.bytes);
            out.extend(&member.trailer);
        }
        let at = out.len() as u32;
        out.extend(&directory);
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([listed.to_le_bytes(), listed.to_le_bytes()].concat());
        out.extend([(directory.len() as u32).to_le_bytes(), at.to_le_bytes()].concat());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.suffix);
        out
    }
}

impl Fields {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for field in [self.version, self.flags, self.method, self.time, self.date] {
            out.extend(field.to_le_bytes());
        }
        for field in [self.crc, self.compressed, self.size] {
            out.extend(field.to_le_bytes());
        }
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
        out
    }
}

/// CRC-32 bit by bit (ISO 3309, as zip has it): slow, and nothing of what is tested.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
