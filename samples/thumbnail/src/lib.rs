//! Answers a posted JPEG or PNG with a smaller one: `POST /?width=200&height=100`, by default 128 by 128 pixels at the
//! most. The proportions stay, and so does the format; a photograph is turned upright.

use std::io::Cursor;

use http_rust::{Answer, body, target, value};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

/// The longest picture file: a photograph of today's cameras.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// The most memory that unpacking a picture may take, in bytes: 24 megapixels of four bytes, and some.
const MAX_PIXELS: u64 = 128 * 1024 * 1024;
/// The side of a thumbnail, in pixels, when the request does not say, and the longest it may say.
const DEFAULT_SIDE: u32 = 128;
const MAX_SIDE: u32 = 4096;
/// Of 100: what photographs on the web mostly use.
const JPEG_QUALITY: u8 = 80;

struct Thumbnail;

wasip2::http::proxy::export!(Thumbnail);

impl wasip2::exports::http::incoming_handler::Guest for Thumbnail {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        respond(&request).unwrap_or_else(|refusal| refusal).send(answer);
    }
}

fn respond(request: &IncomingRequest) -> Result<Answer, Answer> {
    if !matches!(request.method(), Method::Post) {
        return Err(Answer::text(405, "post a JPEG or PNG picture"));
    }
    let (_, query) = target(request);
    let width = side(&query, "width")?;
    let height = side(&query, "height")?;
    let picture = body(request, MAX_BODY)?;
    let (picture, format) = decode(&picture)?;
    let small = if picture.width() <= width && picture.height() <= height {
        picture
    } else {
        picture.resize(width, height, FilterType::CatmullRom)
    };
    let body = encode(&small, format).map_err(|error| Answer::text(500, error.to_string()))?;
    Ok(Answer { status: 200, content_type: format.to_mime_type(), body })
}

fn side(query: &[(String, String)], key: &str) -> Result<u32, Answer> {
    let Some(text) = value(query, key) else { return Ok(DEFAULT_SIDE) };
    match text.parse() {
        Ok(side) if (1..=MAX_SIDE).contains(&side) => Ok(side),
        _ => Err(Answer::text(400, format!("{key} is {text:?}; it must be a number of pixels from 1 to {MAX_SIDE}"))),
    }
}

fn decode(bytes: &[u8]) -> Result<(DynamicImage, ImageFormat), Answer> {
    let undecodable = |error: image::ImageError| Answer::text(422, format!("the picture is damaged: {error}"));
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().expect("memory can be read");
    let format = reader.format().ok_or_else(|| Answer::text(415, "this is neither a JPEG nor a PNG picture"))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS);
    reader.limits(limits);
    let mut decoder = match reader.into_decoder() {
        Err(image::ImageError::Unsupported(_)) => {
            return Err(Answer::text(415, "this is neither a JPEG nor a PNG picture"));
        }
        decoder => decoder.map_err(undecodable)?,
    };
    let orientation = decoder.orientation().map_err(undecodable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    picture.apply_orientation(orientation);
    Ok((picture, format))
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    match format {
        ImageFormat::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))?,
        _ => picture.write_to(&mut Cursor::new(&mut bytes), format)?,
    }
    Ok(bytes)
}
